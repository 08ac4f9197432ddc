"""The operator's commands, on both databases."""

from __future__ import annotations

import asyncio

import pytest
from tests.schema import plain

from ostiary.foundation.crypto import Keyring
from ostiary.foundation.storage import Query, database_at
from ostiary.schema import HEAD
from ostiary.schema.history import History
from ostiary.settings import parse_keys

PASSWORD = "a long phrase only Ada knows\n"


@pytest.fixture
def ada(run, configured):
    made = run("user", "create", "--email", "ada@example.org", "--role", "editor", "--password-stdin", "--json",
               stdin=PASSWORD)  # fmt: skip
    return made.json()["id"]


def test_an_account_is_made_shown_and_listed(run, ada):
    """By id and by address, for people and for machines."""
    shown = run("user", "show", "ada@example.org", "--json").json()
    listed = run("user", "list", "--status", "active", "--json").json()
    table = run("user", "list")

    assert (shown["id"], shown["roles"], shown["status"]) == (ada, ["editor"], "active")
    assert [account["id"] for account in listed] == [ada]
    assert ada in table.out
    assert "password" not in table.out + str(shown).replace("must_change_password", "")


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("suspend", "suspended"),
        ("reactivate", "active"),
        ("unlock", "active"),
        ("end-sessions", "active"),
        ("require-password-change", "active"),
    ],
)
def test_an_operator_changes_an_account(run, ada, command, status):
    """Each command answers with the id, and the account is as it says."""
    done = run("user", command, ada, "--json")

    assert (done.code, done.json()["id"]) == (0, ada)
    assert run("user", "show", ada, "--json").json()["status"] == status


def test_somebody_is_invited_from_the_command_line(run, configured):
    """The invitation is sent; the command says nothing that opens it."""
    invited = run("user", "invite", "ada@example.org", "--role", "editor")
    as_json = run("user", "invite", "ada@example.org", "--json")
    refused = run("user", "invite", "ada@example.org", "--role", "ostiary:operator")

    assert (invited.code, as_json.json()) == (0, {"done": "invited"})
    assert "ost_" not in invited.out + as_json.out
    assert (refused.code, "invite an admin" in refused.err) == (1, True)


@pytest.mark.parametrize(("command", "status"), [("approve", "active"), ("reject", "suspended")])
def test_a_newcomer_is_decided_upon_once(run, ada, configured, command, status):
    """Whoever awaits approval is let in or turned away; whoever does not is not decided upon."""
    refused = run("user", command, ada, "--reason", "Because.")
    asyncio.run(_await_approval(configured))
    decided = run("user", command, "ada@example.org", "--reason", "Because.", "--json")

    assert (refused.code, "does not await" in refused.err) == (1, True)
    assert (decided.code, decided.json()["id"]) == (0, ada)
    assert run("user", "show", ada, "--json").json()["status"] == status


async def _await_approval(url):
    database = database_at(url)
    await database.open()
    await database.execute(Query("UPDATE ostiary.identities SET status = 'pending_verification'"))
    await database.close()


def test_an_administrator_is_made_with_the_operators_role(run, configured):
    """`--admin` makes an account of the kind `admin`."""
    run("user", "create", "--email", "root@example.org", "--admin", "--password-stdin", stdin=PASSWORD)
    shown = run("user", "show", "root@example.org", "--entity-type", "admin", "--json").json()

    assert (shown["entity_type"], shown["roles"]) == ("admin", ["ostiary:operator"])


@pytest.mark.parametrize(
    ("arguments", "stdin", "what"),
    [
        (("user", "show", "nobody@example.org"), "", "deleted"),
        (("user", "show", "nonsense"), "", "neither an e-mail address nor a phone number"),
        (("user", "suspend", "idn_nonsense"), "", "not an id"),
        (("user", "create", "--email", "ada@example.org", "--password-stdin"), "short\n", "characters"),
        (("user", "create", "--password-stdin"), PASSWORD, "e-mail address or a phone number"),
    ],
)
def test_a_refusal_is_a_sentence_and_exit_code_one(run, configured, arguments, stdin, what):
    """No traceback, no input repeated; as JSON where JSON was asked for."""
    refused = run(*arguments, stdin=stdin)
    as_json = run(*arguments, "--json", stdin=stdin)

    assert refused.code == as_json.code == 1
    assert what in refused.err
    assert what in as_json.err
    assert as_json.err.startswith('{"error":')
    assert "nonsense" not in refused.err


def test_bad_settings_are_listed_and_exit_code_two(run, monkeypatch):
    """Every bad setting in one message."""
    monkeypatch.setenv("OSTIARY_TOKENS__ACCESS_LIFETIME", "soon")
    monkeypatch.setenv("OSTIARY_ENV", "prod")
    refused = run("doctor")

    assert refused.code == 2
    assert "OSTIARY_TOKENS__ACCESS_LIFETIME" in refused.err
    assert "OSTIARY_ENV" in refused.err


def test_a_generated_key_is_one_the_settings_take(run):
    """`keys generate` prints what OSTIARY_ROOT_KEYS reads."""
    printed = run("keys", "generate", "--version", "3").out.strip()

    assert Keyring(parse_keys(printed)).newest == 3


def test_the_schema_is_deployed_checked_and_undone(run, monkeypatch, database_url):
    """status, deploy, check, resolve, downgrade and reset, as S2's commands do."""
    revisions = History().revisions
    monkeypatch.setenv("OSTIARY_DATABASE_URL", database_url)
    before = run("schema", "deploy", "--json").json()
    after = run("schema", "status", "--json")
    again = run("schema", "deploy", "--json").json()
    checked = run("schema", "check")
    reset = run("schema", "reset", "--yes", "--json")
    undone = run("schema", "downgrade", "base", "--yes", "--json").json()
    pending = run("schema", "status", "--json")

    assert before == reset.json() == {"applied": revisions}
    assert again == {"applied": []}
    assert (after.code, after.json()["pending"], checked.code) == (0, [], 0)
    assert undone == {"undone": revisions[::-1]}
    assert (pending.code, pending.json()["pending"]) == (1, revisions)


def test_drift_is_found_and_printed(run, configured, monkeypatch):
    """`check` exits 1 and names the column somebody added."""
    import asyncio

    from ostiary.foundation.storage import Query, database_at

    async def add_column():
        database = database_at(configured)
        await database.open()
        await database.execute(Query("ALTER TABLE ostiary.users ADD COLUMN shoe_size integer"))
        await database.close()

    asyncio.run(add_column())
    found = run("schema", "check", "--json")

    assert found.code == 1
    assert "shoe_size" in found.out


@pytest.mark.parametrize("command", [("schema", "reset", "--yes"), ("schema", "seed")])
def test_what_empties_or_fills_a_database_runs_in_development_only(run, ada, monkeypatch, command):
    """In production they refuse, and nothing is changed."""
    monkeypatch.setenv("OSTIARY_ENV", "production")
    refused = run(*command)
    monkeypatch.delenv("OSTIARY_ENV")

    assert refused.code == 1
    assert "development" in refused.err
    assert [account["id"] for account in run("user", "list", "--json").json()] == [ada]


def test_an_answer_that_is_not_yes_changes_nothing(run, ada, monkeypatch):
    """`reset` asks, and takes nothing but yes for yes."""
    refused = run("schema", "reset", stdin="y\n")

    assert refused.code == 1
    assert len(run("user", "list", "--json").json()) == 1


def test_seeding_twice_makes_no_doubles(run, configured):
    """Example accounts are made once, with a password that is printed once."""
    first, second = run("schema", "seed", "--json").json(), run("schema", "seed", "--json").json()

    assert len(first["made"]) == 4
    assert len(first["password"]) == 24
    assert second == {"made": []}


def test_the_guard_of_a_hosts_table_is_printed(run, configured):
    """`schema guard` prints the trigger, and refuses what is no table's name."""
    assert "vendors" in run("schema", "guard", "vendors").out
    assert run("schema", "guard", "vendors; DROP TABLE x").code == 1


def test_a_draft_is_made_in_a_checkout_only(run, configured):
    """`schema create` refuses a folder that is not the source."""
    assert run("schema", "create", "something").code == 1


def test_doctor_is_content_with_a_healthy_installation(run, configured, place):
    """Everything ok, exit 0; a key others can read is found, exit 1."""
    run("user", "list")
    healthy = run("doctor", "--json")
    (place / "ostiary-data" / "root.key").chmod(0o644)
    ill = run("doctor", "--json")

    assert healthy.code == 0
    assert {finding["ok"] for finding in healthy.json()} == {True}
    assert ill.code == 1
    assert [finding["what"] for finding in ill.json() if not finding["ok"]] == ["root key"]


@pytest.mark.parametrize(("serves_from", "content"), [(f"'{HEAD}'", True), ("NULL", False)])
def test_f15_doctor_knows_a_newer_schema_that_serves_this_release(
    run, configured, dialect, serves_from, content
):
    """A database of a newer release is fine when it says that this one may work on it, and is not measured by ours."""
    run("user", "list")
    table = "ostiary_alembic_version" if dialect == "sqlite" else "ostiary.ostiary_alembic_version"
    newer = f"UPDATE {table} SET version_num = '9999', serves_from = {serves_from}"
    asyncio.run(plain.run(configured, newer))

    findings = {finding["what"]: finding for finding in run("doctor", "--json").json()}

    assert findings["revision"]["ok"] is content
    assert ("schema" in findings) is not content
    assert findings["revision"]["detail"] == f"at 9999, needs {HEAD}"


def test_doctor_finds_misspelt_variables(run, configured, monkeypatch):
    """A variable that no setting reads is named."""
    monkeypatch.setenv("OSTIARY_TOKEN__LIFETIME", "1h")
    ill = run("doctor")

    assert ill.code == 1
    assert "OSTIARY_TOKEN__LIFETIME" in ill.out


def test_every_command_has_help_with_an_example(run):
    """`--help` of each command explains it."""
    for command in ("serve", "doctor", "reference"):
        assert run(command, "--help").code == 0
    for group, names in {
        "user": "create show list suspend reactivate unlock end-sessions require-password-change",
        "schema": "deploy status check create resolve downgrade reset seed guard",
        "keys": "generate",
    }.items():
        for name in names.split():
            shown = run(group, name, "--help")
            assert shown.code == 0
            assert f"ostiary {group} {name}" in " ".join(shown.out.replace("│", " ").split())
