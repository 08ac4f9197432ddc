"""One Django site for allauth headless and for simplejwt; PEERS_SITE names which, and settings follow from it.

Settings, URLs and the WSGI application are one module, since nothing else is in this site.
"""

from __future__ import annotations

import os
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import django
from django.contrib.auth.hashers import Argon2PasswordHasher

SITE = os.environ["PEERS_SITE"]
LIFETIME = int(os.environ["PEERS_ACCESS_SECONDS"])
IS_ALLAUTH = SITE.startswith("allauth")
_URL = urlsplit(os.environ["PEERS_DATABASE_URL"])

DEBUG = False
SECRET_KEY = os.environ["PEERS_SECRET"]
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "benchmarks.peers.servers.django_urls"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
PASSWORD_HASHERS = ["benchmarks.peers.servers.django_site.Argon2AsOthers"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _URL.path.strip("/"),
        "USER": _URL.username,
        "PASSWORD": _URL.password or "",
        "HOST": parse_qs(_URL.query).get("host", [_URL.hostname])[0],
        "PORT": str(_URL.port or ""),
        "CONN_MAX_AGE": None,
    }
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "ERROR"},
}
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "rest_framework",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "UNAUTHENTICATED_USER": None,
}

if IS_ALLAUTH:
    INSTALLED_APPS += ["allauth", "allauth.account", "allauth.headless", "allauth.usersessions"]
    MIDDLEWARE += [
        "allauth.account.middleware.AccountMiddleware",
        "allauth.usersessions.middleware.UserSessionsMiddleware",
    ]
    AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
    ACCOUNT_LOGIN_METHODS = {"email"}
    ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
    ACCOUNT_EMAIL_VERIFICATION = "none"
    ACCOUNT_RATE_LIMITS = False
    HEADLESS_ONLY = True
    HEADLESS_CLIENTS = ("app",)
    HEADLESS_JWT_ACCESS_TOKEN_EXPIRES_IN = LIFETIME
    HEADLESS_JWT_ROTATE_REFRESH_TOKEN = True
    HEADLESS_JWT_STATEFUL_VALIDATION_ENABLED = SITE == "allauth-jwt-stateful"
    HEADLESS_JWT_PRIVATE_KEY = os.environ["PEERS_RSA_KEY"]
    _CONTRIB = "allauth.headless.contrib.rest_framework.authentication"
    if SITE == "allauth-session":
        REST_FRAMEWORK["DEFAULT_AUTHENTICATION_CLASSES"] = [f"{_CONTRIB}.XSessionTokenAuthentication"]
    else:
        HEADLESS_TOKEN_STRATEGY = "allauth.headless.tokens.strategies.jwt.JWTTokenStrategy"
        REST_FRAMEWORK["DEFAULT_AUTHENTICATION_CLASSES"] = [f"{_CONTRIB}.JWTTokenAuthentication"]
else:
    INSTALLED_APPS += ["rest_framework_simplejwt.token_blacklist"]
    # A site that serves tokens only needs neither sessions nor CSRF tokens.
    MIDDLEWARE = [
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.common.CommonMiddleware",
    ]
    REST_FRAMEWORK["DEFAULT_AUTHENTICATION_CLASSES"] = [
        "rest_framework_simplejwt.authentication.JWTAuthentication"
        if SITE == "simplejwt"
        else "rest_framework_simplejwt.authentication.JWTStatelessUserAuthentication"
    ]
    SIMPLE_JWT = {
        "ACCESS_TOKEN_LIFETIME": timedelta(seconds=LIFETIME),
        "REFRESH_TOKEN_LIFETIME": timedelta(days=30),
        "ROTATE_REFRESH_TOKENS": True,
        "BLACKLIST_AFTER_ROTATION": True,
        "UPDATE_LAST_LOGIN": True,
    }


class Argon2AsOthers(Argon2PasswordHasher):
    """Argon2id at the cost every contestant hashes at."""

    time_cost = 2
    memory_cost = 19456
    parallelism = 1


def prepare(people: int, password: str) -> None:
    """Make the tables and so many people who share a password."""
    django.setup()
    from django.contrib.auth.hashers import make_password
    from django.contrib.auth.models import User
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    hashed = make_password(password)
    names = [f"person{number}@example.org" for number in range(people)]
    User.objects.bulk_create([User(username=name, email=name, password=hashed) for name in names])
    if IS_ALLAUTH:
        from allauth.account.models import EmailAddress

        EmailAddress.objects.bulk_create(
            [
                EmailAddress(user=user, email=user.email, verified=True, primary=True)
                for user in User.objects.all()
            ]
        )
