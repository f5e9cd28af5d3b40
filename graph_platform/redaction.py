"""What of a URL may be shown, and texts in which somebody else may have quoted the rest.

A value is shown as far as it is read with certainty; from where it is not, everything is hidden: half a URL is what a
password looks like that has a sign of its own in it. Nothing here knows which settings there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import quote, unquote

HIDDEN = "***"

_Span = tuple[int, int]
_Value = TypeVar("_Value")

_WITHOUT_ADDRESS = frozenset({"embedded:", "local:"})
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_HOST = r"(?:\[[0-9A-Fa-f:.]+(?:%\w+)?\]|[\w.-]*)"
_HOSTS = re.compile(rf"{_HOST}(?::\d{{0,5}})?(?:,{_HOST}(?::\d{{0,5}})?)*")
_NO_HOST = re.compile(r"[^/:@%=\[\]]*")
_FILES = ("file://", "duckdb://")  # what follows is a path, in which ? and # are letters like others
_SECRET_NAME = re.compile(r"pass|pwd|token|secret|key|auth|jwt|cred|sig|%", re.IGNORECASE)
_SECRET_INSIDE = re.compile(r"(?:pass|pwd|token|secret|key|auth|jwt|cred)\w*\s*[=:]", re.IGNORECASE)
# libpq's other form, which is no URL and is easily given for one: words of which these are no secret.
_WORDS = re.compile(r"\s*(?:\w+\s*=\s*(?:'(?:[^'\\]|\\.)*'|[^\s'=]*)(?:\s+|$))+")
_WORD = re.compile(r"(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|[^\s'=]*)")
_OPEN_WORDS = frozenset({"host", "hostaddr", "port", "dbname", "user", "application_name", "sslmode"})

_PIECES = re.compile(r"[\s/:@?#&=;,%'\"\\]+")
_UNMISTAKABLE = 4  # characters: what is shorter is hidden only where it stands as a word of its own


def masked(url: str) -> str:
    """A URL, or what was given for one, as it may be shown: without the password that is or may be in it."""
    shown, end = [], 0
    for start, stop in _merged(_secret_spans(url)):
        shown += [url[end:start], HIDDEN]
        end = stop
    return "".join((*shown, url[end:]))


def secrets_in(url: str) -> frozenset[str]:
    """What `masked` hides of a URL, whole and in the pieces in which an error may quote it."""
    found = {url[start:stop] for start, stop in _merged(_secret_spans(url))}
    for secret in tuple(found):
        for form in (secret, unquote(secret)):
            found |= {piece for piece in _PIECES.split(form) if len(piece) >= _UNMISTAKABLE}
    return frozenset(found)


def concealed(value: _Value, secrets: Iterable[str]) -> _Value:
    """A text without the secrets in it, however they are escaped there; in lists and mappings every text and name."""
    forms = {form for secret in secrets if secret.strip() for form in _forms(secret.strip())}
    if not forms:
        return value
    # The longest first: a piece of a secret must not break the whole of it.
    pattern = "|".join(map(_pattern, sorted(forms, key=len, reverse=True)))
    return _concealed(value, re.compile(pattern))  # type: ignore[no-any-return]  # what went in comes out


def _concealed(value: Any, secret: re.Pattern[str]) -> Any:
    if isinstance(value, str):
        return secret.sub(HIDDEN, value)
    if isinstance(value, Mapping):
        return {_concealed(name, secret): _concealed(inside, secret) for name, inside in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_concealed(inside, secret) for inside in value)
    return value


def _forms(secret: str) -> Iterator[str]:
    for form in (secret, unquote(secret)):
        yield from (form, repr(form)[1:-1], quote(form), quote(form, safe=""))


def _pattern(form: str) -> str:
    escaped = re.escape(form)
    return escaped if len(form) >= _UNMISTAKABLE else rf"(?<!\w){escaped}(?!\w)"


def _merged(spans: Iterable[_Span]) -> list[_Span]:
    merged: list[_Span] = []
    for start, stop in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        elif start < stop:
            merged.append((start, stop))
    return merged


def _secret_spans(url: str) -> Iterator[_Span]:
    scheme = _SCHEME.match(url)
    if scheme:
        yield from _in_url(url, scheme.end(), scheme[0].lower() in _FILES)
    elif _WORDS.fullmatch(url):
        yield from (found.span(2) for found in _WORD.finditer(url) if found[1].lower() not in _OPEN_WORDS)
    elif url not in _WITHOUT_ADDRESS:
        name = re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", url)
        yield (name.end() if name else 0, len(url))


def _in_url(url: str, start: int, is_file: bool) -> Iterator[_Span]:
    end = len(url)
    if not is_file and re.search(r"[\s\x00-\x1f]", url):
        yield (start, end)
        return
    # To the last @, since a password that was not percent-encoded may have one itself, or a / ? #.
    at = url.rfind("@", start)
    if at >= 0:
        yield from _in_user(url, start, at)
    hosts = re.compile(r"[^/?#]*").match(url, at + 1 or start)
    begin, tail = hosts.span() if hosts else (start, start)
    if not (_NO_HOST if is_file else _HOSTS).fullmatch(url, begin, tail):
        opening = re.compile(r"[:\[]").search(url, begin)
        yield (opening.end() if opening else begin, end)
    elif is_file:
        quoted = _SECRET_INSIDE.search(url, begin)
        yield (quoted.end(), end) if quoted else (end, end)
    else:
        yield from _in_parameters(url, tail)


def _in_user(url: str, start: int, at: int) -> Iterator[_Span]:
    """Before the @: what follows the first colon; all of it where it cannot be a user alone."""
    before = url[start:at]
    colon = before.find(":")
    if colon >= 0:
        yield (start + colon + 1, at)
    elif re.search(r"[:@?#]" if before.startswith("/") else r"[:@/?#]", unquote(before)):
        yield (start, at)


def _in_parameters(url: str, start: int) -> Iterator[_Span]:
    fragment = url.find("#", start)
    if fragment >= 0:
        yield (fragment + 1, len(url))
    question = url.find("?", start)
    if question < 0:
        return
    for parameter in re.compile(r"[^&;]+").finditer(url, question + 1):
        name, equals, given = parameter[0].partition("=")
        if not equals:
            yield parameter.span()
        elif _SECRET_NAME.search(name) or _SECRET_INSIDE.search(unquote(given)):
            yield (parameter.start() + len(name) + 1, _end_of(url, parameter.end()))


def _end_of(url: str, end: int) -> int:
    """Where a secret parameter ends: at the next &, for its value may have a ; itself."""
    following = url.find("&", end)
    return len(url) if following < 0 else following
