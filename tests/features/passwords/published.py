"""Hashes others published with their passwords, each under the scheme it has here."""

import json

DJANGO = [  # django/django, tests/auth_tests/test_hashers.py
    ("django-argon2", "secret", "argon2$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$YC9+jJCrQhs5R6db7LlN8Q"),
    (
        "django-argon2",
        "secret",
        "argon2$argon2i$m=8,t=1,p=1$c29tZXNhbHQ$gwQOXSNhxiOxPOA0+PY10P9QFO4NAYysnqRt1GSQLE55m+2GYDt9FEjPMHhP2Cuf0nOEXXMocVrsJAtNSsKyfg",
    ),
    (
        "django-argon2",
        "secret",
        "argon2$argon2id$v=19$m=102400,t=2,p=8$Y041dExhNkljRUUy$TMa6A8fPJhCAUXRhJXCXdw",
    ),
    ("django-md5", "lètmein", "md5$seasalt$3f86d0d3d465b7b458c231bf3555c0e3"),
    ("django-md5", "lètmein", "md5$$88a434c88cca4e900f7874cd98123f43"),
    ("django-sha1", "lètmein", "sha1$seasalt$cff36ea83f5706ce9aa7454e63e431fc726b2dc8"),
    ("django-sha1", "lètmein", "sha1$$6d138ca3ae545631b3abd71a4f076ce759c5700b"),
    ("django-crypt", "lètmei", "crypt$$ab1Hv2Lg7ltQo"),
    ("md5", "lètmein", "88a434c88cca4e900f7874cd98123f43"),
    ("django-pbkdf2-sha1", "lètmein", "pbkdf2_sha1$390000$seasalt2$aDapRanzW8aHTz97v2TcfHzWD+I="),
    (
        "django-pbkdf2-sha256",
        "lètmein",
        "pbkdf2_sha256$390000$seasalt2$geC/uZ92nRXDSjSxeoiBqYyRcrLzMm8xK3ro1QS1uo8=",
    ),
]
_KEYED = "MTIzNDU="
KRATOS = [  # ory/kratos, hash/hasher_test.go
    (
        "phc-pbkdf2-sha256",
        "test",
        "$pbkdf2-sha256$i=100000,l=32$1jP+5Zxpxgtee/iPxGgOz0RfE9/KJuDElP1ley4VxXc$QJxzfvdbHYBpydCbHoFg3GJEqMFULwskiuqiJctoYpI",
    ),
    (
        "phc-pbkdf2-sha512",
        "test",
        "$pbkdf2-sha512$i=100000,l=32$bdHBpn7OWOivJMVJypy2UqR0UnaD5prQXRZevj/05YU$+wArTfv1a+bNGO1iZrmEdVjhA+lL11wF4/IxpgYfPwc",
    ),
    (
        "kratos-scrypt",
        "test",
        "$scrypt$ln=16384,r=8,p=1$2npRo7P03Mt8keSoMbyD/tKFWyUzjiQf2svUaNDSrhA=$MiCzNcIplSMqSBrm4HckjYqYhaVPPjTARTzwB1cVNYE=",
    ),
    (
        "kratos-firescrypt",
        "8x4WjoDbSxJZdR",
        "$firescrypt$ln=14,r=8,p=1$sPtDhWcd1MfdAw==$xbSou7FOl6mChCyzpCPIQ7tku7nsQMTFtyOZSXXd7tjBa4NtimOx7v42Gv2SfzPQu1oxM2/k4SsbOu73wlKe1A==$Bw==$YE0dO4bwD4JnJafh6lZZfkp1MtKzuKAXQcDCJNJNyeCHairWHKENOkbh3dzwaCdizzOspwr/FITUVlnOAwPKyw==",
    ),
    ("ldap-ssha", "test123", "{SSHA}JFZFs0oHzxbMwkSJmYVeI8MnTDy/276a"),
    ("ldap-ssha256", "test123", "{SSHA256}czO44OTV17PcF1cRxWrLZLy9xHd7CWyVYplr1rOhuMlx/7IK"),
    (
        "ldap-ssha512",
        "test123",
        "{SSHA512}xPUl/px+1cG55rUH4rzcwxdOIPSB2TingLpiJJumN2xyDWN4Ix1WQG3ihnvHaWUE8MYNkvMi5rf0C9NYixHsE6Yh59M=",
    ),
    ("kratos-md5", "test", "$md5$CY9rzUYh03PK3k6DJie09g=="),
    ("kratos-md5", "ory", "$md5$pf=e1BBU1NXT1JEfXtTQUxUfSQ/$MTIzNDU2Nzg5$8PhwWanVRnpJAFK4NUjR0w=="),
    ("kratos-md5", "test", "$md5$pf=e1NBTFR9JCR7UEFTU1dPUkR9$MTIzNA==$ud392Z8rfZ+Ou7ZFXYLKbA=="),
    (
        "kratos-sha1",
        "test",
        "$sha1$pf=e1NBTFR9e1BBU1NXT1JEfQ==$NW9wbWtnejAzcg==$2qU2SGWP8viTM1md3FiI3+rjWXQ=",
    ),
    (
        "kratos-sha1",
        "BwS^514g^cv@Z",
        "$sha1$pf=e1NBTFR9e1BBU1NXT1JEfQ==$NW9wbWtnejAzcg==$99h9net4BXl7qdTRaiGUobLROxM=",
    ),
    (
        "kratos-sha1",
        "test",
        "$sha1$pf=Pz9zdGF0aWNQcmVmaXg/P3tTQUxUfXtQQVNTV09SRH0=$NW9wbWtnejAzcg==$SAAxMUn7jxckQXkBmsVF0nHwqso=",
    ),
    (
        "kratos-sha1",
        "test",
        "$sha1$pf=e1BBU1NXT1JEfSUle1NBTFR9$NW9wbWtnejAzcg==$YX0AW8/MW5ojUlnzTaR43ucHCog=",
    ),
    (
        "kratos-sha1",
        "test",
        "$sha1$pf=JHtQQVNTV09SRH0ke1NBTFR9JA==$NW9wbWtnejAzcg==$iE5n1yjX3oAdxRHwZ4u57I4LpQo=",
    ),
    (
        "kratos-sha256",
        "test",
        "$sha256$pf=e1NBTFR9JCR7UEFTU1dPUkR9$NW9wbWtnejAzcg==$HokCOi9OtiZaZRvnkgemV3B4UUHpI7kA8zq/EZWH2NY=",
    ),
    (
        "kratos-sha512",
        "test",
        "$sha512$pf=e1NBTFR9JCR7UEFTU1dPUkR9$NW9wbWtnejAzcg==$1F9BPW8UtdJkZ9Dhlf+D4X4dJ9xfuH8y04EfuCP2k4aGPPq/aWxU9/xe3LydHmYW1/K3zu3NFO9ETVrZettz3w==",
    ),
    ("md5-crypt", "test", "$md5-crypt$TVEiiKNb$SN6/pUaRQS/E8Jh46As2C/"),
    ("md5-crypt", "test", "$md5-crypt$$whuMjZj.HMFoaTaZRRtkO0"),
    ("md5-crypt", "ory", "$md5-crypt$xWMlm2eL$GGTOpgZu4p2k6ORprAu3b."),
    ("kratos-hmac-md4", "test", f"$hmac-md4$MWQ5ZTI4Nzc2Zjg4YmE2MTQ5YjQ0OTMyOGE4NWU4YjA=${_KEYED}"),
    ("kratos-hmac-md5", "test", f"$hmac-md5$ZmU4Njk3Zjc0MmQwODA0MDVkMTI3MGU2MTYzMzE2Zjk=${_KEYED}"),
    (
        "kratos-hmac-sha1",
        "test",
        f"$hmac-sha1$NDMyNjcxZTUyY2Y2YTBmYjZjZDE2NjQxYjAwNjFiZjAwOGEzNWM5MA==${_KEYED}",
    ),
    (
        "kratos-hmac-sha224",
        "test",
        f"$hmac-sha224$YmUwYmYzM2EwNGRlNDE0YjQzNjBhNmIyOThmNmIyYzI4OWQyMzk3MDUwZDFjMzliYjVmMDMyOTQ=${_KEYED}",
    ),
    (
        "kratos-hmac-sha256",
        "test",
        f"$hmac-sha256$ZTAzMWJhMWMyOTM4YjFkMjgzZjkxOWExZGY5YWM2NmMxOTJhN2RkNzQ0MzJkNWZkNGFkYTI5OTk0MWJhMTA5Zg==${_KEYED}",
    ),
    (
        "kratos-hmac-sha384",
        "test",
        f"$hmac-sha384$ZWEyMGM3NGE4Y2UzMTljNTdjZTlhZGQyYTZjNDE0MGQ4YjMwYWIwOWM4OTRiNWQ4MmZjODlhMzBhMmQzNGE5NmQ0NDY1NWRhYjQ2ZjhiYjBkNTRmYjk5YWZkZTA1MGY1${_KEYED}",
    ),
    (
        "kratos-hmac-sha512",
        "test",
        f"$hmac-sha512$OTFmODY0ZTI1NmU0ZjVhYjhiMDViZGFmNGVmNGZmMGVlNTY4ODYwNWJhYTk4MTk2OTgyMzc3NzI1YTc4MzcxMTMzNzZmY2YxYTk5MGMxM2RiZDk2MGFmMmQ1YzRmODdlMGMwYTNkYjcyNjY0NjM4NGE4YzQ2MjNhZDZkN2UxZTE=${_KEYED}",
    ),
]
COSTLY = [  # the same; more than half a million rounds each
    (
        "sha256-crypt",
        "test",
        "$sha256-crypt$rounds=535000$05R.9KB6UC2kLI3w$Q/zslzx./JjkAVPTwp6th7nW5l7JU91Gte/UmIh.U78",
    ),
    (
        "sha512-crypt",
        "test",
        "$sha512-crypt$rounds=656000$3LVbIAVxR//cRajw$uuNasMW.RYxlGzIRFU1Was70BPSa933AjxhZIGJdJBOlqJAHlgqa0yuiuq5JHF/ryNGryJkj87G9i3G2HPSXg1",
    ),
]
_TABLE = "t\u00e1\u0411\u2113\u0259"
PASSLIB = [  # Passlib 1.7.4, tests/test_handlers*.py
    ("bcrypt", "abc", "$2$05$" + "." * 22 + "XuQjdH.wPVNUZ/bOfstdW/FqB8QSjte"),
    ("bcrypt", "", "$2$05$" + "." * 22 + "J2ihDv8vVf7QZ9BsaRrKyqs2tkn55Yq"),
    ("bcrypt", "abc" * 23, "$2$05$" + "." * 22 + "XuQjdH.wPVNUZ/bOfstdW/FqB8QSjte"),
    ("bcrypt", "abc" * 23, "$2a$05$" + "." * 22 + "2kIdfSj/4/R/Q6n847VTvc68BXiRYZC"),
    ("bcrypt", ("0123456789" * 26)[:255], "$2a$04$R1lJ2gkNaoPGdafE.H.16.1MKHPvmKwryeulRe225LKProWYwt9Oi"),
    ("bcrypt", "test", "$2a$04$yjDgE74RJkeqC0/1NheSScrvKeu9IbKDpcQf/Ox3qsrRS/Kw42qIS"),
    ("bcrypt", _TABLE, "$2b$05$Z17AXnnlpzddNUvnC6cZNOSwMA/8oNiKnHTHTwLlBijfucQQlHjaG"),
    (
        "passlib-bcrypt-sha256",
        "",
        "$bcrypt-sha256$2a,5$E/e/2AOhqM5W/KJTFQzLce$F6dYSxOdAEoJZO2eoHUZWZljW/e0TXO",
    ),
    (
        "passlib-bcrypt-sha256",
        "abc123" * 12 + "qwr",
        "$bcrypt-sha256$2b,5$X1g1nh3g0v4h6970O68cxe$021KLEif6epjot5yoxk0m8I0929ohEa",
    ),
    (
        "passlib-bcrypt-sha256",
        _TABLE,
        "$bcrypt-sha256$v=2,t=2b,r=5$.US1fQ4TQS.ZTz/uJ5Kyn.$pzzgp40k8reM1CuQb03PvE0IDPQSdV6",
    ),
    (
        "passlib-bcrypt-sha256",
        "abc123" * 12 + "xyz",
        "$bcrypt-sha256$v=2,t=2b,r=5$X1g1nh3g0v4h6970O68cxe$zC/1UDUG2ofEXB6Onr2vvyFzfhEOS3S",
    ),
    (
        "passlib-scrypt",
        "password",
        "$scrypt$ln=10,r=8,p=16$TmFDbA$/bq+HJ00cgB4VucZDQHp/nxq18vII3gw53N2Y0s3MWI",
    ),
    (
        "passlib-scrypt",
        _TABLE,
        "$scrypt$ln=7,r=8,p=1$jjGmtDamdA4BQAjBeA9BSA$OiWRHhQtpDx7M/793x6UXK14AD512jg/qNm/hkWZG4M",
    ),
    ("passlib-pbkdf2-sha1", "password", "$pbkdf2$1212$OB.dtnSEXZK8U5cgxU/GYQ$y5LKPOplRmok7CZp/aqVDVg8zGI"),
    ("apache-md5-crypt", "myPassword", "$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/"),
    ("md5-crypt", "U*U*U*U*", "$1$dXc3I7Rw$ctlgjDdWJLMT.qwHsWhXR1"),
    ("md5-crypt", "", "$1$Eu.GHtia$CFkL/nE1BYTlEPiVx1VWX0"),
    ("phpass", "test12345", "$P$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0"),
    ("phpass", "123456", "$H$9PE8jEklgZhgLmZl5.HYJAzfGCQtzi1"),
    ("phpass", "JohnRipper", "$P$612345678si5M0DDyPpmRCmcltU/YW/"),
    ("mysql41", "verysecretpassword", "*2C905879F74F28F8570989947D06A8429FB943E6"),
    ("ldap-smd5", "testing1234", "{SMD5}UjFY34os/pnZQ3oQOzjqGu4yeXE="),
    ("ntlm", "passphrase", "$3$$7f8fe03093cc84b267b109625f6bbf4b"),
    ("ntlm", "ü", "$3$$8bd6e4fb88e01009818749c5443ea712"),
    ("ntlm", "", "31d6cfe0d16ae931b73c59d7e0c089c0"),
]
PASSWAP = [  # zitadel/passwap, internal/testvalues
    (
        "passlib-scrypt",
        "password",
        "$scrypt$ln=16,r=8,p=1$cmFuZG9tc2FsdGlzaGFyZA$Rh+NnJNo1I6nRwaNqbDm6kmADswD1+7FTKZ7Ln9D8nQ",
    ),
    ("passlib-pbkdf2-sha1", "password", "$pbkdf2$12$cmFuZG9tc2FsdGlzaGFyZA$mwUqsMixIYMc/0eN4v1.l3SVDpk"),
    (
        "passlib-pbkdf2-sha256",
        "password",
        "$pbkdf2-sha256$12$cmFuZG9tc2FsdGlzaGFyZA$OFvEcLOIPFd/oq8egf10i.qJLI7A8nDjPLnolCWarQY",
    ),
    (
        "passlib-pbkdf2-sha512",
        "password",
        "$pbkdf2-sha512$12$cmFuZG9tc2FsdGlzaGFyZA$e297piXvkpYxoYQAWD9zn1aKXCo3XmR91Xn9/WEGsHXU/7xaQzCV9upu4T5Jntq6AiZ6YX0diXnY7Ju5TEfUMA",
    ),
    ("drupal7", "password", "$S$ErandomsaOpYrAZqwxGynirQbWYCb3ejW4BwGH81LJcOzbzeVd02"),
]
ASP_NET = [  # dotnet/aspnetcore, src/Identity/test/Identity.Test/PasswordHasherTest.cs
    ("aspnet-identity", "my password", text)
    for text in (
        "AAABAgMEBQYHCAkKCwwNDg+ukCEMDf0yyQ29NYubggHIVY0sdEUfdyeM+E1LtH1uJg==",
        "AQAAAAAAAAD6AAAAEAhftMyfTJylOlZT+eEotFXd1elee8ih5WsjXaR3PA9M",
        "AQAAAAEAA9CQAAAAIESkQuj2Du8Y+kbc5lcN/W/3NiAZFEm11P27nrSN5/tId+bR1SwV8CO1Jd72r4C08OLvplNlCDc3oQZ8efcW+jQ=",
        "AQAAAAIAAAAyAAAAEOMwvh3+FZxqkdMBz2ekgGhwQ4B6pZWND6zgESBuWiHw",
        "AQAAAAIAAAD6AAAAIJbVi5wbMR+htSfFp8fTw8N8GOS/Sje+S/4YZcgBfU7EQuqv4OkVYmc4VJl9AGZzmRTxSkP7LtVi9IWyUxX8IAAfZ8v+ZfhjCcudtC1YERSqE1OEdXLW9VukPuJWBBjLuw==",
        "AQAAAAIAACcQAAAAEAABAgMEBQYHCAkKCwwNDg9B0Oxwty+PGIDSp95gcCfzeDvA4sGapUIUov8usXfD6A==",
        "AQAAAAIAAYagAAAAEAABAgMEBQYHCAkKCwwNDg/Q8A0WMKbtHQJQ2DHCdoEeeFBrgNlldq6vH4qX/CGqGQ==",
    )
]


def keycloak(credential_data, secret_data):
    """Put the two columns together as they are stored here."""
    return json.dumps({"credential_data": credential_data, "secret_data": secret_data}, separators=(",", ":"))


OTHERS = [
    # Ulrich Drepper, "Unix crypt using SHA-256 and SHA-512", his test of the reference implementation.
    ("sha256-crypt", "Hello world!", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
    # Solar Designer's example of phpass, in WordPress and everywhere else.
    ("phpass", "password", "$P$8ohUJ.1sdFw09/bMaAQPTGDNi2BIUt1"),
    ("ntlm", "password", "8846f7eaee8fb117ad06bdd830b7586c"),
    # "Import PBKDF2 hashed user passwords into Keycloak", user admin.
    (
        "keycloak",
        "admin",
        keycloak(
            '{"hashIterations": 27500,"algorithm": "pbkdf2-sha256"}',
            '{"salt": "x/bm4Y3DcuV9eU97ervkPA==","value": "1u7BLvfSPxQFpwc5jpGSA+88EGl9pZYKhaZ8YPIu9N4="}',
        ),
    ),
    # supabase/auth, internal/crypto/password_test.go
    ("argon2i", "test", "$argon2i$v=19$m=16,t=2,p=1$bGJRWThNOHJJTVBSdHl2dQ$NfEnUOuUpb7F2fQkgFUG4g"),
    (
        "argon2id",
        "test",
        "$argon2id$v=19$m=32,t=3,p=2$SFVpOWJ0eXhjRzVkdGN1RQ$RXnb8rh7LaDcn07xsssqqulZYXOM/EUCEFMVcAcyYVk",
    ),
    (
        "supabase-fbscrypt",
        "mytestpassword",
        "$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=ou9tdYTGyYm8kuR6Dt0Bp0kDuAYoXrK16mbZO4yGwAn3oLspjnN0/c41v8xZnO1n14J3MjKj1b2g6AUCAlFwMw==$C0sHCg9ek77hsg==$zKVTMvnWVw5BBOZNUdnsalx4c4c7y/w7IS5p6Ut2+CfEFFlz37J9huyQfov4iizN8dbjvEJlM5tQaJP84+hfTw==",
    ),
]
PUBLISHED = [*DJANGO, *KRATOS, *PASSLIB, *PASSWAP, *ASP_NET, *OTHERS]

# firebase/scrypt, README.md; and supertokens/supertokens-core, PasswordHashingTest.java.
FIREBASE_KEY = "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA=="
SUPERTOKENS_KEY = "gRhC3eDeQOdyEn4bMd9c6kxguWVmcIVq/SKa0JDPFeM6TcEevkaW56sIWfx88OHbJKnCXdWscZx0l2WbCJ1wbg=="
FIREBASE_SEPARATOR = "Bw=="
FIREBASE = [
    (
        "firebase-scrypt",
        FIREBASE_KEY,
        "user1password",
        '{"passwordHash":"lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==","salt":"42xEC+ixf3L2lw=="}',
    ),
    (
        "supertokens-scrypt",
        SUPERTOKENS_KEY,
        "testPass123",
        "$f_scrypt$qZM035es5AXYqavsKD6/rhtxg7t5PhcyRgv5blc3doYbChX8keMfQLq1ra96O2Pf2TP/eZrR5xtPCYN6mX3ESA==$/cj0jC1br5o4+w==$m=14$r=8$s=Bw==",
    ),
]
