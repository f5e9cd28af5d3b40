"""Ids that last: opaque, lower case, and valid as DNS labels, so that they name pods and folders as they are."""

from __future__ import annotations

import secrets

from graph_platform.names import ID_ALPHABET, ID_LENGTH


def new_id(prefix: str) -> str:
    """A fresh id such as `snap-k7m2qd9x4tz3bw`.

    Args:
        prefix: `map`, `snap`, `exp`, `inst` or `gp` (an installation).
    """
    return f"{prefix}-" + "".join(secrets.choice(ID_ALPHABET) for _ in range(ID_LENGTH))
