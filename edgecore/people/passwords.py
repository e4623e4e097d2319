"""Passwords as Argon2id hashes in their PHC form, by ``cryptography``, which the core has anyway;
it is imported with the first password, so that a core without users does not carry it.

Numbers: OWASP's Password Storage Cheat Sheet (m=19456, t=2, p=1): 19 MiB and about 0.1 s.
"""

from __future__ import annotations

import os

MIN_CHARACTERS = 12
MAX_BYTES = 1024
_MEMORY_KIB = 19_456
_NOBODYS = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$" + "A" * 43
"""Compared where a name does not exist, so that the answer takes as long."""


class PasswordError(ValueError):
    """A new password that is not accepted; says why."""


def hash_password(password: str) -> str:
    """Raises PasswordError: too short, too long, or one character over and over."""
    if len(password) < MIN_CHARACTERS:
        raise PasswordError(
            f"the password has {len(password)} characters, at least {MIN_CHARACTERS} are needed"
        )
    if len(password.encode()) > MAX_BYTES:
        raise PasswordError(f"the password has more than {MAX_BYTES} bytes")
    if len(set(password)) < 4:
        raise PasswordError("the password has fewer than 4 different characters")
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    made = Argon2id(salt=os.urandom(16), length=32, iterations=2, lanes=1, memory_cost=_MEMORY_KIB)
    return made.derive_phc_encoded(password.encode())


def matches(password: str, kept: str | None) -> bool:
    """In constant time; ``kept`` None takes as long and never matches. Blocks for 0.1 s."""
    from cryptography.exceptions import InvalidKey
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    given = password.encode("utf-8", "surrogatepass")
    if len(given) > MAX_BYTES:
        return False
    try:
        Argon2id.verify_phc_encoded(given, kept or _NOBODYS)
    except (InvalidKey, ValueError):
        return False
    return kept is not None
