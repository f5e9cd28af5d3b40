"""Ids that last: opaque, lower case, and valid as DNS labels, so that they name pods and folders as they are."""

from __future__ import annotations

import secrets

# Without vowels and look-alikes: an id never spells a word and survives being read out on the phone.
_ALPHABET = "bcdfghjkmnpqrstvwxz23456789"
_LENGTH = 14  # 27**14 is about 2**66


def new_id(prefix: str) -> str:
    """A fresh id such as `snap-k7m2qd9x4tz3bw`.

    Args:
        prefix: `map`, `snap`, `exp`, `inst` or `gp` (an installation).
    """
    return f"{prefix}-" + "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
