"""Who may do what with an instance's server: three roles, each with a bearer token, all made of one secret."""

from __future__ import annotations

import base64
import hashlib
import hmac
from enum import StrEnum


class Role(StrEnum):
    """What the bearer of a token may do; each may do what those before it may."""

    READER = "reader"
    WRITER = "writer"
    OPERATOR = "operator"

    @property
    def writes(self) -> bool:
        """Whether it may change what is in a database that can be written to."""
        return self is not Role.READER


def token_of(secret: str, role: Role) -> str:
    """The role's bearer token. The operator's is the secret itself; from another one nobody gets back to it.

    Args:
        secret: of an attempt's server, 32 characters at least; whoever starts it keeps it.
    """
    if role is Role.OPERATOR:
        return secret
    made = hmac.new(secret.encode(), f"graph-platform {role}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(made).decode("ascii").rstrip("=")
