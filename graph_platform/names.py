"""What a thing may be called: the one rule for every name that a user gives to a mapping, a snapshot or an instance.

It leaves out what is written around names: `@` before a version, `/` in a path, a space on a command line. Labels and
properties live in the graph, and have the engines' rules.
"""

from __future__ import annotations

import re

from graph_platform.errors import ErrorCode, PlatformError

MAX_NAME = 255

# Without vowels and look-alikes: an id never spells a word and survives being read out on the phone.
ID_ALPHABET = "bcdfghjkmnpqrstvwxz23456789"
ID_LENGTH = 14  # 27**14 is about 2**66

RULE = (
    f"a name begins with a letter or a digit, then has letters, digits, _, - and . alone, at most {MAX_NAME} characters"
)

_NAME = re.compile(rf"[^\W_][\w.-]{{0,{MAX_NAME - 1}}}")
_ID = re.compile(rf"(map|snap|exp|inst|gp)-[{ID_ALPHABET}]{{{ID_LENGTH}}}")
_NOT_ALLOWED = re.compile(r"[^\w.-]+")
_SHOWN = 64


def name_fault(name: str) -> str | None:
    """What is wrong with a name, to be put behind what it is the name of; None if nothing is."""
    if not name.strip():
        return "is empty"
    if len(name) > MAX_NAME:
        return f"has {len(name)} characters, more than {MAX_NAME}"
    if _ID.fullmatch(name):
        return f"{name!r} has the form of an id, and would be taken for one"
    if not _NAME.fullmatch(name):
        found = _NOT_ALLOWED.search(name)
        what = f"has {found[0][:_SHOWN]!r} in it" if found else f"begins with {name[0]!r}"
        return f"{name[:_SHOWN]!r} {what}"
    return None


def require_name(kind: str, name: str | None) -> None:
    """Refuse a name that breaks the rule; no name is fine.

    Args:
        kind: what it is a name of, `snapshot` or `instance`. A mapping's is checked with the rest of it.

    Raises:
        PlatformError: VALIDATION_FAILED with the rule.
    """
    fault = None if name is None else name_fault(name)
    if fault:
        raise PlatformError(ErrorCode.VALIDATION_FAILED, f"the {kind}'s name {fault}", RULE, {"field": "name"})


def nearest_name(text: str) -> str:
    """The text itself if a thing may be called so, else a name made from it."""
    made = _NOT_ALLOWED.sub("-", text).strip("-._")[:MAX_NAME]
    return "unnamed" if name_fault(made) else made
