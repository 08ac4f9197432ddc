"""The guide to live tokens is run."""

import re
from pathlib import Path

import pytest
from tests.vaulted import OUTBOUND, account_of, linked, provider_listening, tokens_of

from ostiary.foundation.ids import format_id
from ostiary.testing import auth_for_tests

pytestmark = pytest.mark.anyio

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "live-tokens.md"


async def test_the_guide_to_live_tokens_runs(tmp_path):
    """Its code is given the token of an account at the provider it names."""
    (source,) = re.findall(r"<!-- run -->\n```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    namespace: dict = {}
    exec(compile(source, "live-tokens.md", "exec", dont_inherit=True), namespace)  # noqa: S102 - the guide's own code
    async with provider_listening() as provider:
        known = {"google": provider.oauth2_settings("oauth2")}
        async with auth_for_tests(data=tmp_path, outbound=OUTBOUND, providers=known) as running:
            account_id = await linked(running, provider, provider="google")
            whose = format_id("idn", (await account_of(running, account_id)).identity_id)

            token = await namespace["token_for_calendar"](running.auth, whose)

            assert token == (await tokens_of(running, account_id)).access_token.reveal()
