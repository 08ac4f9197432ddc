"""`ostiary role`, on both databases."""

from __future__ import annotations

import pytest

PASSWORD = "a long phrase only Ada knows\n"


@pytest.fixture
def ada(run, configured):
    made = run("user", "create", "--email", "ada@example.org", "--password-stdin", "--json", stdin=PASSWORD)
    return made.json()["id"]


def test_a_role_is_made_changed_granted_and_deleted(run, ada):
    """Each command prints what there is afterwards."""
    made = run("role", "create", "editor", "--description", "Edits.", "--allow", "a:b", "--json").json()
    allowed = run("role", "allow", "editor", "a:c", "a:d", "--json").json()
    denied = run("role", "deny", "editor", "a:b", "--json").json()
    granted = run("role", "grant", "editor", "ada@example.org", "--until", "2999-01-31", "--json").json()
    (holder,) = run("role", "holders", "editor", "--json").json()
    removed = run("role", "remove", "editor", ada, "--json").json()
    nobody = run("role", "holders", "editor", "--json").json()
    deleted = run("role", "delete", "editor", "--yes", "--json").json()
    left = [role["name"] for role in run("role", "list", "--json").json()]

    assert made == {"name": "editor", "description": "Edits.", "declared": False, "permissions": ["a:b"]}
    assert (allowed["permissions"], denied["permissions"]) == (["a:b", "a:c", "a:d"], ["a:c", "a:d"])
    assert granted == {"identity_id": ada, "role": "editor", "expires_at": "2999-01-31T00:00:00Z"}
    assert (holder["id"], holder["email"], holder["granted_by"]) == (ada, "ada@example.org", "system")
    assert (removed, nobody) == ({"identity_id": ada, "removed": "editor"}, [])
    assert (deleted, left) == ({"deleted": "editor"}, ["ostiary:operator"])


def test_people_are_shown_tables(run, ada):
    """Without --json, names and sentences."""
    run("role", "create", "editor", "--allow", "a:b")
    outs = [
        run("role", *arguments).out
        for arguments in (
            ("list",),
            ("show", "editor"),
            ("grant", "editor", ada),
            ("holders", "editor"),
            ("remove", "editor", ada),
            ("delete", "editor", "--yes"),
        )
    ]

    assert "in the configuration" in outs[0]
    assert "a:b" in outs[1]
    assert f"{ada} has the role editor." in outs[2]
    assert ada in outs[3]
    assert "any more" in outs[4]
    assert "deleted" in outs[5]


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("show", "nonsense"), "no such role"),
        (("grant", "nonsense", "ada@example.org"), "no such role"),
        (("grant", "editor", "nobody@example.org"), "No account"),
        (("grant", "editor", "ada@example.org", "--until", "soon"), "2030-01-31"),
        (("grant", "editor", "ada@example.org", "--until", "2001-01-31"), "in the future"),
        (("remove", "editor", "ada@example.org"), "do not have"),
        (("allow", "editor", "nonsense"), "reports:read"),
        (("create", "editor"), "already"),
        (("create", "An Editor"), "lower-case"),
        (("delete", "ostiary:operator", "--yes"), "configuration"),
        (("allow", "ostiary:operator", "a:b"), "configuration"),
    ],
)
def test_a_refusal_is_a_sentence_and_exit_code_one(run, ada, arguments, what):
    """No traceback, and nothing is changed."""
    run("role", "create", "editor")
    before = run("role", "list", "--json").json()

    refused = run("role", *arguments)

    assert refused.code == 1
    assert what in refused.err
    assert run("role", "list", "--json").json() == before


def test_deleting_asks_first(run, configured):
    """Whatever is not yes changes nothing."""
    run("role", "create", "editor")

    assert run("role", "delete", "editor", stdin="y\n").code == 1
    assert run("role", "show", "editor").code == 0


def test_every_command_has_help_with_an_example(run):
    """`--help` of each explains it."""
    for name in ["list", "show", "create", "delete", "allow", "deny", "grant", "remove", "holders"]:
        shown = run("role", name, "--help")
        assert shown.code == 0
        assert f"ostiary role {name}" in " ".join(shown.out.replace("│", " ").split())
