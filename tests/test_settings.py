"""Settings: read from one place, refused all at once, safe in production."""

from __future__ import annotations

import base64
from datetime import timedelta
from ipaddress import ip_network

import pytest

from ostiary.foundation.crypto import Keyring
from ostiary.settings import InvalidSettings, load, unknown_variables

KEY = base64.b64encode(bytes(range(32))).decode()


@pytest.fixture(autouse=True)
def _clean_place(monkeypatch, tmp_path):
    """A folder without a .env, and an environment without our variables."""
    import os

    for name in [name for name in os.environ if name.startswith("OSTIARY_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_the_defaults_are_those_of_the_contract():
    """Nothing configured: development, SQLite in the data folder, fifteen minutes, thirty days, ten seconds."""
    settings = load()

    assert settings.env == "development"
    assert settings.database == "sqlite:///ostiary-data/ostiary.db"
    assert settings.public_url == settings.audience == "http://127.0.0.1:8000"
    assert settings.tokens.access_lifetime == timedelta(minutes=15)
    assert settings.tokens.refresh_lifetime == timedelta(days=30)
    assert settings.tokens.refresh_grace == timedelta(seconds=10)
    assert settings.passwords.min_length == 12
    assert settings.revocation.max_age == timedelta(seconds=10)


def test_every_setting_can_come_from_the_environment(monkeypatch):
    """Nesting is two underscores, lists are separated by commas, durations have a unit."""
    monkeypatch.setenv("OSTIARY_TOKENS__ACCESS_LIFETIME", "1h")
    monkeypatch.setenv("OSTIARY_TRUSTED_PROXIES", "10.0.0.0/8, ::1")
    monkeypatch.setenv("OSTIARY_ALLOWED_ORIGINS", "https://App.example.org")
    monkeypatch.setenv("OSTIARY_ROOT_KEYS", f"1:{KEY}")
    settings = load()

    assert settings.tokens.access_lifetime == timedelta(hours=1)
    assert settings.trusted_proxies == [ip_network("10.0.0.0/8"), ip_network("::1")]
    assert settings.allowed_origins == ["https://app.example.org"]
    assert Keyring(settings.root_keys).newest == 1


def test_a_dotenv_file_is_read_and_the_environment_wins(monkeypatch, tmp_path):
    """`.env` fills in what the environment does not say."""
    (tmp_path / ".env").write_text(
        "OSTIARY_TOKENS__AUDIENCE=file\nOSTIARY_PUBLIC_URL=https://file.example.org\n"
    )
    monkeypatch.setenv("OSTIARY_PUBLIC_URL", "https://environment.example.org")
    settings = load()

    assert (settings.audience, settings.public_url) == ("file", "https://environment.example.org")


def test_a_secrets_directory_is_read(monkeypatch, tmp_path):
    """A file named after a setting holds its value, as container platforms mount secrets."""
    (tmp_path / "ostiary_database_url").write_text("postgresql://somebody@db/app")
    monkeypatch.setenv("OSTIARY_SECRETS_DIR", str(tmp_path))

    assert load().database == "postgresql://somebody@db/app"


def test_one_error_lists_every_bad_setting_and_none_of_their_values(monkeypatch):
    """Whoever starts with three mistakes reads about three, and no value is repeated."""
    monkeypatch.setenv("OSTIARY_TOKENS__ACCESS_LIFETIME", "canary-soon")
    monkeypatch.setenv("OSTIARY_ROOT_KEYS", "1:canary-key")
    monkeypatch.setenv("OSTIARY_ENV", "canary-prod")
    monkeypatch.setenv("OSTIARY_TRUSTED_PROXIES", "canary-proxy")

    with pytest.raises(InvalidSettings) as refusal:
        load()

    message = str(refusal.value)
    for name in ("TOKENS__ACCESS_LIFETIME", "ROOT_KEYS", "ENV", "TRUSTED_PROXIES"):
        assert f"OSTIARY_{name}:" in message
    assert len(refusal.value.problems) == 4
    assert "canary" not in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OSTIARY_PUBLIC_URL", "auth.example.org"),
        ("OSTIARY_PUBLIC_URL", "https://auth.example.org/"),
        ("OSTIARY_DATABASE_URL", "mysql://db/app"),
        ("OSTIARY_ALLOWED_ORIGINS", "*"),
        ("OSTIARY_ALLOWED_ORIGINS", "https://app.example.org/path"),
        ("OSTIARY_ROOT_KEYS", "1:" + "A" * 20),
        ("OSTIARY_ROOT_KEYS", f"1:{KEY},1:{KEY}"),
        ("OSTIARY_TOKENS__REFRESH_LIFETIME", "0d"),
        ("OSTIARY_TOKENS__REFRESH_LIFETIME", "-1d"),
        ("OSTIARY_TOKENS__ALGORITHM", "HS256"),
        ("OSTIARY_PASSWORDS__MIN_LENGTH", "4"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_name(monkeypatch, name, value):
    """Each refusal names its variable and says what would do."""
    monkeypatch.setenv(name, value)

    with pytest.raises(InvalidSettings, match=name):
        load()


@pytest.mark.parametrize("kind", ["email", "sms"])
def test_mfa_07_the_strict_profile_refuses_factors_by_message(monkeypatch, kind):
    """Neither e-mail nor SMS is a second factor there, and the message says what is."""
    monkeypatch.setenv("OSTIARY_PROFILE", "strict")

    with pytest.raises(InvalidSettings, match=r"OSTIARY_FACTORS: .* passkeys are there"):
        load(factors={kind: True})


@pytest.mark.parametrize(
    ("factors", "named"),
    [
        ({}, []),
        ({"sms": True}, ["OSTIARY_FACTORS__SMS"]),
        ({"sms": True, "email": True}, ["OSTIARY_FACTORS__EMAIL", "OSTIARY_FACTORS__SMS"]),
        ({"sms": True, "required_for": []}, []),
    ],
)
def test_mfa_07_a_weak_factor_for_those_who_must_have_one_is_pointed_out(factors, named):
    """The start says which setting lets somebody do with a message who must have a second factor."""
    assert [caution.partition(":")[0] for caution in load(factors=factors).cautions()] == named


@pytest.mark.parametrize(("wait", "refused"), [("59m", True), ("1h", False)])
def test_production_gives_an_owner_an_hour_to_object(wait, refused):
    """Lost factors are not removed sooner."""
    dangers = load(env="production", factors={"reset_wait": wait}).dangers()

    assert any(danger.startswith("OSTIARY_FACTORS__RESET_WAIT") for danger in dangers) == refused


def test_the_strict_profile_sets_what_was_not_set(monkeypatch):
    """Strict means no grace, 15 characters and short sessions, unless somebody says otherwise."""
    monkeypatch.setenv("OSTIARY_PROFILE", "strict")
    monkeypatch.setenv("OSTIARY_SESSIONS__IDLE_LIFETIME", "30m")
    settings = load()

    assert settings.tokens.refresh_grace == timedelta(0)
    assert settings.tokens.refresh_lifetime == timedelta(hours=24)
    assert settings.passwords.min_length == 15
    assert settings.sessions.idle_lifetime == timedelta(minutes=30)


def test_production_refuses_what_is_unsafe_and_says_what_to_do():
    """Generated keys, plain HTTP, several workers on SQLite, no mail and weak hashes are five refusals, together."""
    dangers = load(env="production", passwords={"weak_hash_for_tests": True}).dangers(workers=2)

    assert [danger.partition(":")[0] for danger in dangers] == [
        "OSTIARY_ROOT_KEYS",
        "OSTIARY_PUBLIC_URL",
        "OSTIARY_DATABASE_URL",
        "OSTIARY_MAIL__URL",
        "OSTIARY_PASSWORDS__WEAK_HASH_FOR_TESTS",
    ]


def test_production_accepts_what_is_safe():
    """Keys from outside, https, PostgreSQL and a mail server start."""
    settings = load(
        env="production",
        public_url="https://auth.example.org",
        database_url="postgresql://somebody@db/app",
        root_keys=f"1:{KEY}",
        mail={"url": "smtp://mail.example.org", "from": "Acme <no-reply@example.org>"},
    )

    assert settings.dangers(workers=4) == []


@pytest.mark.parametrize(
    ("more", "refused"),
    [
        ({"mail": {"url": "smtp://mail.example.org"}}, ["OSTIARY_MAIL__FROM"]),
        ({"registration": {"verify_first": True}}, ["OSTIARY_MAIL__URL"]),
        ({"registration": {"verify_first": False}}, []),
    ],
)
def test_production_sends_the_mail_that_it_waits_for(more, refused):
    """A registration that needs a mail needs a mail server, and a mail server needs a sender."""
    settings = load(
        env="production",
        public_url="https://auth.example.org",
        database_url="postgresql://somebody@db/app",
        root_keys=f"1:{KEY}",
        **more,
    )

    assert [danger.partition(":")[0] for danger in settings.dangers()] == refused


def test_mail_and_sms_are_set_by_variables(monkeypatch):
    """`FROM` is its name outside; the fields of a gateway of one's own are JSON."""
    monkeypatch.setenv("OSTIARY_MAIL__URL", "smtp://user:canary@mail.example.org")
    monkeypatch.setenv("OSTIARY_MAIL__FROM", "Acme <no-reply@example.org>")
    monkeypatch.setenv("OSTIARY_SMS__FIELDS", '{"number": "{to}"}')
    monkeypatch.setenv("OSTIARY_OUTBOUND__ALLOWED_NETWORKS", "10.1.2.0/24, fd00::/8")
    settings = load()

    assert settings.mail.sender == "Acme <no-reply@example.org>"
    assert settings.sms.fields == {"number": "{to}"}
    assert settings.outbound.allowed_networks == [ip_network("10.1.2.0/24"), ip_network("fd00::/8")]
    assert unknown_variables() == []
    assert "canary" not in repr(settings)


def test_settings_never_show_a_secret():
    """Neither keys nor the database's password are in the repr."""
    settings = load(root_keys=f"1:{KEY}", database_url="postgresql://somebody:canary@db/app")

    assert "canary" not in repr(settings)
    assert repr(bytes(range(32))) not in repr(settings)


def test_misspelt_variables_are_found(monkeypatch):
    """A variable no setting reads is named, so that a typing mistake does not pass for a setting."""
    monkeypatch.setenv("OSTIARY_TOKEN__ACCESS_LIFETIME", "1h")
    monkeypatch.setenv("OSTIARY_TOKENS__ACCESS_LIFETIME", "1h")

    assert unknown_variables() == ["OSTIARY_TOKEN__ACCESS_LIFETIME"]


def test_parameters_of_imported_hashes_are_read_by_name(monkeypatch):
    """What another system kept outside its hashes is one JSON object, or a variable each, and never printed."""
    monkeypatch.setenv(
        "OSTIARY_PASSWORDS__IMPORTED",
        '{"shop": {"signer_key": "AAEC", "salt_separator": "Bw==", "rounds": 7, "mem_cost": 12}}',
    )
    shop = load().passwords.imported["shop"]
    monkeypatch.delenv("OSTIARY_PASSWORDS__IMPORTED")
    monkeypatch.setenv("OSTIARY_PASSWORDS__IMPORTED__BLOG__PEPPER", "a pepper")

    settings = load()

    assert shop.signer_key.get_secret_value() == b"\x00\x01\x02"
    assert shop.salt_separator.get_secret_value() == b"\x07"
    assert (shop.rounds, shop.mem_cost) == (7, 12)
    assert settings.passwords.imported["blog"].pepper.get_secret_value() == "a pepper"
    assert "a pepper" not in repr(settings)
    assert unknown_variables() == []


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ('{"shop": {}}', "SHOP: each name needs a signer_key or a pepper"),
        ('{"shop": {"signer_key": "not base64"}}', "SHOP__SIGNER_KEY: write bytes in base64"),
        ('{"shop": {"pepper": "p", "rounds": 9}}', "SHOP__ROUNDS: Input should be less than or equal to 8"),
        ('{"shop": {"pepper": "p", "papper": "p"}}', "SHOP__PAPPER: Extra inputs are not permitted"),
        ('{"the shop": {"pepper": "p"}}', "THE SHOP"),
    ],
)
def test_parameters_of_imported_hashes_that_cannot_be_used_are_refused(monkeypatch, value, problem):
    """A name without a secret, bytes that are none, more work than allowed and misspelt names stop the start."""
    monkeypatch.setenv("OSTIARY_PASSWORDS__IMPORTED", value)

    with pytest.raises(InvalidSettings, match=problem):
        load()


def test_defaults_hold_where_nothing_else_says_anything(monkeypatch, tmp_path):
    """An argument stands above the environment, the environment above a file, and all of them above a default."""
    defaults = {
        "public_url": "https://default.example.org",
        "data": tmp_path / "default",
        "sessions": {"recent_authentication": "7m"},
        "env": "development",
    }
    monkeypatch.setenv("OSTIARY_PUBLIC_URL", "https://environment.example.org")
    monkeypatch.setenv("OSTIARY_SESSIONS__IDLE_LIFETIME", "2h")
    (tmp_path / ".env").write_text("OSTIARY_DATA=file\n")
    monkeypatch.chdir(tmp_path)

    found = load(defaults)
    above = load(defaults, public_url="https://argument.example.org")

    assert found.public_url == "https://environment.example.org"
    assert above.public_url == "https://argument.example.org"
    assert str(found.data) == "file"
    assert found.sessions.recent_authentication == timedelta(minutes=7)
    assert found.sessions.idle_lifetime == timedelta(hours=2)


def test_a_default_that_cannot_be_is_refused_like_any_other():
    """The problem is named as the setting it is."""
    with pytest.raises(InvalidSettings, match="OSTIARY_PUBLIC_URL"):
        load({"public_url": "ftp://example.org"})
