"""Addresses are read as the library reads them, whichever way is taken."""

from __future__ import annotations

from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st

from ostiary.features.identities import InvalidAddress, parse_email

_LABELS = st.text("ab1-", min_size=1, max_size=6) | st.sampled_from(
    ["xn", "xn--a", "a" * 63, "a" * 64, "test", "example"]
)
_LOCAL_PARTS = st.text("ab1._+-A", min_size=1, max_size=8) | st.sampled_from(["a" * 64, "a" * 65])
_ENDS = st.sampled_from(["com", "org", "de", "ch", "uk", "test", "local", "onion", "invalid", "c", "1"])


@given(local_part=_LOCAL_PARTS, labels=st.lists(_LABELS, min_size=1, max_size=3), end=_ENDS)
@example(local_part="a", labels=["x" * 63] * 4, end="com")
def test_a_plain_address_is_what_the_library_says(local_part, labels, end):
    """The short way for plain addresses accepts and answers exactly what the long way does."""
    text = f"{local_part}@{'.'.join(labels)}.{end}"
    try:
        parsed = validate_email(text, check_deliverability=False, globally_deliverable=False)
        expected = (
            f"{parsed.local_part}@{parsed.domain}",
            f"{parsed.local_part}@{parsed.ascii_domain}".lower(),
        )
    except EmailNotValidError:
        expected = None
    if len(text) > 254:
        expected = None

    try:
        address = parse_email(text)
        found = address.text, address.normalized
    except InvalidAddress:
        found = None

    assert found == expected
