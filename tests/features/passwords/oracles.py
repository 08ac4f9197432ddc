"""Who else makes and checks these hashes: Django, Werkzeug, Passlib, argon2-cffi, and the formulas written anew.

A maker takes a password in UTF-8 and gives a text, cheaply; a checker takes both. What follows a `/` in the name of a
maker says which of several texts of one scheme it makes.
"""

import base64
import hashlib
import hmac
import json
import os
import unicodedata
import warnings

import argon2
import bcrypt
import werkzeug.security
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from django.contrib.auth import hashers as django

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from passlib import hash as passlib

    for _handler in (passlib.des_crypt, passlib.md5_crypt, passlib.sha256_crypt, passlib.sha512_crypt):
        _handler.set_backend("builtin")

PEPPER = b"pepper"
SIGNER_KEY = bytes(range(64))
SEPARATOR = b"\x07"
# A password that is more than one when it is put into a normal form.
PASSWORDS = ["", "p" * 71, "p" * 72, "p" * 73, "ﬁancée Å \u0301", "lètmein", "x" * 4096]


def _b64(data):
    return base64.b64encode(data).decode()


def _passlib(handler, **settings):
    return lambda password: handler.using(**settings).hash(password)


def _text(password):
    return password.decode()


def _bcrypt(password, prefix="2b"):
    return bcrypt.hashpw(password[:72], bcrypt.gensalt(4)).decode().replace("$2b$", f"${prefix}$")


def _scrypt(password, salt, n, r, size):
    return Scrypt(salt=salt, length=size, n=n, r=r, p=1).derive(password)


def _lucia(block_size, prefix=""):
    def make(password):
        salt = os.urandom(16).hex()
        normal = unicodedata.normalize("NFKC", _text(password)).encode()
        return f"{prefix}{salt}:{_scrypt(normal, salt.encode(), 1 << 14, block_size, 64).hex()}"

    return make


def firebase(password, salt, *, power=1, rounds=1):
    """Write Firebase's formula anew: the signer key, encrypted under what scrypt makes of the password."""
    key = _scrypt(password, salt + SEPARATOR, 1 << power, rounds, 32)
    encryptor = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()
    return _b64(encryptor.update(SIGNER_KEY) + encryptor.finalize())


def _firebase_json(password):
    salt = os.urandom(10)
    return f'{{"passwordHash":"{firebase(password, salt)}","salt":"{_b64(salt)}"}}'


def _supertokens(password):
    salt = os.urandom(10)
    return f"$f_scrypt${firebase(password, salt)}${_b64(salt)}$m=1$r=1$s={_b64(SEPARATOR)}"


def _kratos_firescrypt(password):
    salt = os.urandom(10)
    parts = (_b64(salt), firebase(password, salt), _b64(SEPARATOR), _b64(SIGNER_KEY))
    return "$firescrypt$ln=1,r=1,p=1$" + "$".join(parts)


def _supabase(password):
    salt = os.urandom(10)
    start = f"$fbscrypt$v=1,n=1,r=1,p=1,ss={_b64(SEPARATOR)},sk={_b64(SIGNER_KEY)}"
    return f"{start}${_b64(salt)}${firebase(password, salt)}"


def _keycloak(algorithm, name):
    def make(password):
        salt = os.urandom(16)
        value = hashlib.pbkdf2_hmac(name, password, salt, 2, 64)
        return json.dumps(
            {
                "credential_data": f'{{"hashIterations":2,"algorithm":"{algorithm}","additionalParameters":{{}}}}',
                "secret_data": f'{{"value":"{_b64(value)}","salt":"{_b64(salt)}","additionalParameters":{{}}}}',
            },
            separators=(",", ":"),
        )

    return make


def _keycloak_argon2(password):
    salt = os.urandom(16)
    value = argon2.low_level.hash_secret_raw(password, salt, 1, 8, 1, 32, argon2.Type.ID)
    made = {"hashLength": ["32"], "memory": ["8"], "type": ["id"], "version": ["1.3"], "parallelism": ["1"]}
    return json.dumps(
        {
            "credential_data": json.dumps(
                {"hashIterations": 1, "algorithm": "argon2", "additionalParameters": made}
            ),
            "secret_data": f'{{"value":"{_b64(value)}","salt":"{_b64(salt)}"}}',
        },
        separators=(",", ":"),
    )


def _asp_net(password):
    salt = os.urandom(16)
    made = hashlib.pbkdf2_hmac("sha256", password, salt, 3, 32)
    return _b64(b"\1" + b"".join(number.to_bytes(4) for number in (1, 3, 16)) + salt + made)


def _fusionauth(password):
    salt = os.urandom(32)
    made = hashlib.pbkdf2_hmac("sha256", password, salt, 3, 32)
    return f'{{"factor":3,"password":"{_b64(made)}","salt":"{_b64(salt)}"}}'


def _clerk(password):
    salt = os.urandom(16)
    return f"pbkdf2_sha256$3${_b64(salt)}${_b64(hashlib.pbkdf2_hmac('sha256', password, salt, 3))}"


def _clerk_sha1(password):
    return f"pbkdf2_sha1$3$seasalt${hashlib.pbkdf2_hmac('sha1', password, b'seasalt', 3).hex()}"


def _phc(name):
    def make(password):
        salt = os.urandom(16)
        made = hashlib.pbkdf2_hmac(name, password, salt, 3, 32)
        return f"$pbkdf2-{name}$i=3,l=32${_b64(salt).rstrip('=')}${_b64(made).rstrip('=')}"

    return make


def _kratos_scrypt(password):
    salt = os.urandom(32)
    return f"$scrypt$ln=2,r=1,p=1${_b64(salt)}${_b64(_scrypt(password, salt, 2, 1, 32))}"


def _django_scrypt(password):
    hasher = django.ScryptPasswordHasher()
    return hasher.encode(_text(password), "seasalt" * 3, 2, 1, 1)


def _django_argon2(password):
    hasher = django.Argon2PasswordHasher()
    hasher.time_cost, hasher.memory_cost, hasher.parallelism = 1, 8, 1
    return hasher.encode(_text(password), hasher.salt())


def _django_bcrypt_sha256(password):
    hasher = django.BCryptSHA256PasswordHasher()
    hasher.rounds = 4
    return hasher.encode(_text(password), hasher.salt())


def _wordpress(password):
    made = hmac.new(b"wp-sha384", password.strip(b" \n\r\t\v\0"), "sha384").digest()
    return "$wp" + _bcrypt(base64.b64encode(made), "2y")


def _ldap(mark, name, salt=b""):
    return lambda password: f"{{{mark}}}{_b64(hashlib.new(name, password + salt).digest() + salt)}"


def _hex(name):
    return lambda password: hashlib.new(name, password).hexdigest()


def _flask(make):
    return lambda password: make(base64.b64encode(hmac.new(PEPPER, password, "sha512").digest()))


def _argon2(kind):
    hasher = argon2.PasswordHasher(1, 8, 1, type=kind)
    return hasher.hash


def _pbkdf2(hasher):
    return lambda password: hasher().encode(_text(password), "seasalt" * 3, 3)


def _werkzeug(password):
    salt = "sea0salt"
    return f"scrypt:2:1:1${salt}${_scrypt(password, salt.encode(), 2, 1, 64).hex()}"


def _werkzeug_pbkdf2(name):
    return lambda password: werkzeug.security.generate_password_hash(_text(password), f"pbkdf2:{name}:3")


def _bcrypt_sha256(password):
    salt = bcrypt.gensalt(4).decode()[7:]
    mixed = base64.b64encode(hmac.new(salt.encode(), password, "sha256").digest())
    made = bcrypt.hashpw(mixed, f"$2b$04${salt}".encode()).decode()
    return f"$bcrypt-sha256$v=2,t=2b,r=4${salt}${made[29:]}"


def _drupal(password):
    alphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    digest = hashlib.sha512(b"seasalts" + password).digest()
    for _ in range(1 << 7):
        digest = hashlib.sha512(digest + password).digest()
    number = int.from_bytes(digest, "little")
    return "$S$5seasalts" + "".join(alphabet[number >> 6 * place & 63] for place in range(43))


_SHA_CRYPT = {"rounds": 1000}
MAKERS = {
    "argon2id": _argon2(argon2.Type.ID),
    "argon2i": _argon2(argon2.Type.I),
    "argon2d": _argon2(argon2.Type.D),
    "bcrypt": _bcrypt,
    "bcrypt/2a": lambda password: _bcrypt(password, "2a"),
    "bcrypt/2y": lambda password: _bcrypt(password, "2y"),
    "django-argon2": _django_argon2,
    "django-bcrypt": lambda password: "bcrypt$" + _bcrypt(password),
    "django-bcrypt-sha256": _django_bcrypt_sha256,
    "django-pbkdf2-sha1": _pbkdf2(django.PBKDF2SHA1PasswordHasher),
    "django-pbkdf2-sha256": _pbkdf2(django.PBKDF2PasswordHasher),
    "django-scrypt": _django_scrypt,
    "passlib-pbkdf2-sha1": _passlib(passlib.pbkdf2_sha1, rounds=3),
    "passlib-pbkdf2-sha256": _passlib(passlib.pbkdf2_sha256, rounds=3),
    "passlib-pbkdf2-sha512": _passlib(passlib.pbkdf2_sha512, rounds=3),
    "passlib-scrypt": _passlib(passlib.scrypt, rounds=1, block_size=8),
    "phc-pbkdf2-sha256": _phc("sha256"),
    "phc-pbkdf2-sha384": _phc("sha384"),
    "clerk-pbkdf2-sha1": _clerk_sha1,
    "clerk-pbkdf2-sha256": _clerk,
    "fusionauth-pbkdf2-sha256": _fusionauth,
    "werkzeug-pbkdf2-sha256": _werkzeug_pbkdf2("sha256"),
    "werkzeug-pbkdf2-sha1": _werkzeug_pbkdf2("sha1"),
    "werkzeug-scrypt": _werkzeug,
    "kratos-scrypt": _kratos_scrypt,
    "kratos-firescrypt": _kratos_firescrypt,
    "supabase-fbscrypt": _supabase,
    "keycloak/pbkdf2": _keycloak("pbkdf2", "sha1"),
    "keycloak/pbkdf2-sha256": _keycloak("pbkdf2-sha256", "sha256"),
    "keycloak/pbkdf2-sha512": _keycloak("pbkdf2-sha512", "sha512"),
    "keycloak/argon2": _keycloak_argon2,
    "aspnet-identity": _asp_net,
    "phpass": _passlib(passlib.phpass, rounds=7),
    "md5-crypt": _passlib(passlib.md5_crypt),
    "apache-md5-crypt": _passlib(passlib.apr_md5_crypt),
    "sha256-crypt": _passlib(passlib.sha256_crypt, **_SHA_CRYPT),
    "sha512-crypt": _passlib(passlib.sha512_crypt, **_SHA_CRYPT),
    "ldap-crypt": lambda password: "{CRYPT}" + passlib.md5_crypt.hash(password),
    "ldap-smd5": _passlib(passlib.ldap_salted_md5),
    "ldap-ssha": _passlib(passlib.ldap_salted_sha1),
    "ldap-ssha256": _ldap("SSHA256", "sha256", b"saltsalt"),
    "ldap-ssha384": _ldap("SSHA384", "sha384", b"saltsalt"),
    "ldap-ssha512": _ldap("SSHA512", "sha512", b"saltsalt"),
    "spring-bcrypt": lambda password: "{bcrypt}" + _bcrypt(password, "2a"),
    "wordpress-bcrypt": _wordpress,
    "lucia-1": _lucia(8),
    "lucia-2": _lucia(16, "s2:"),
    "lucia-3": _lucia(16),
}
KEYED_MAKERS = {
    "devise-bcrypt": lambda password: _bcrypt(password + PEPPER, "2a"),
    "firebase-scrypt": _firebase_json,
    "flask-security-argon2id": _flask(_argon2(argon2.Type.ID)),
    "flask-security-bcrypt": _flask(_bcrypt),
    "flask-security-pbkdf2-sha512": _flask(_passlib(passlib.pbkdf2_sha512, rounds=3)),
    "flask-security-sha512-crypt": _flask(_passlib(passlib.sha512_crypt, **_SHA_CRYPT)),
    "supertokens-scrypt": _supertokens,
}
# Made by these, and never written again.
FINAL_MAKERS = {
    "des-crypt": passlib.des_crypt.hash,
    "django-crypt": lambda password: "crypt$$" + passlib.des_crypt.hash(password),
    "ldap-crypt/des": lambda password: "{CRYPT}" + passlib.des_crypt.hash(password),
    "drupal7": _drupal,
    "django-md5": lambda password: django.MD5PasswordHasher().encode(_text(password), "seasalt"),
    "django-sha1": lambda password: "sha1$seasalt$" + _hex("sha1")(b"seasalt" + password),
    "ldap-md5": _ldap("MD5", "md5"),
    "ldap-sha": _ldap("SHA", "sha1"),
    "ldap-sha256": _ldap("SHA256", "sha256"),
    "ldap-sha384": _ldap("SHA384", "sha384"),
    "ldap-sha512": _ldap("SHA512", "sha512"),
    "md5": _hex("md5"),
    "mysql41": _passlib(passlib.mysql41),
    "ntlm": _passlib(passlib.nthash),
    "passlib-bcrypt-sha256": _bcrypt_sha256,
    "plaintext": _text,
    "sha1": _hex("sha1"),
    "sha224": _hex("sha224"),
    "sha256": _hex("sha256"),
    "sha384": _hex("sha384"),
    "sha512": _hex("sha512"),
    "spring-noop": lambda password: "{noop}" + _text(password),
}


CHECKERS = {
    "argon2id": lambda password, text: argon2.PasswordHasher().verify(text, password),
    "argon2i": lambda password, text: argon2.PasswordHasher().verify(text, password),
    "argon2d": lambda password, text: argon2.PasswordHasher().verify(text, password),
    "bcrypt": lambda password, text: bcrypt.checkpw(password[:72], text.encode()),
    "django-argon2": lambda password, text: django.Argon2PasswordHasher().verify(_text(password), text),
    "django-bcrypt": lambda password, text: django.BCryptPasswordHasher().verify(_text(password[:72]), text),
    "django-bcrypt-sha256": lambda password, text: django.BCryptSHA256PasswordHasher().verify(
        _text(password), text
    ),
    "django-pbkdf2-sha1": lambda password, text: django.PBKDF2SHA1PasswordHasher().verify(
        _text(password), text
    ),
    "django-pbkdf2-sha256": lambda password, text: django.PBKDF2PasswordHasher().verify(
        _text(password), text
    ),
    "django-scrypt": lambda password, text: django.ScryptPasswordHasher().verify(_text(password), text),
    "passlib-pbkdf2-sha1": passlib.pbkdf2_sha1.verify,
    "passlib-pbkdf2-sha256": passlib.pbkdf2_sha256.verify,
    "passlib-pbkdf2-sha512": passlib.pbkdf2_sha512.verify,
    "passlib-scrypt": passlib.scrypt.verify,
    "werkzeug-pbkdf2-sha256": lambda password, text: werkzeug.security.check_password_hash(
        text, _text(password)
    ),
    "werkzeug-pbkdf2-sha1": lambda password, text: werkzeug.security.check_password_hash(
        text, _text(password)
    ),
    "phpass": passlib.phpass.verify,
    "md5-crypt": passlib.md5_crypt.verify,
    "apache-md5-crypt": passlib.apr_md5_crypt.verify,
    "sha256-crypt": passlib.sha256_crypt.verify,
    "sha512-crypt": passlib.sha512_crypt.verify,
    "ldap-smd5": passlib.ldap_salted_md5.verify,
    "ldap-ssha": passlib.ldap_salted_sha1.verify,
}
