"""Cut Cypher text into tokens, strictly. What a token means, and what is allowed, is the rest of the gate's to say.

It is stricter than the engines' own lexers on purpose: where theirs and ours could disagree about where a comment or a
string ends, text could hide from the gate. Such text is refused, and comments never reach the engine. The tests cut the
same text with the tables of the engines' own lexers, read out of their wheels.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import Enum

from graph_platform.errors import ErrorCode, PlatformError

MAX_TOKENS = 10_000
MAX_DEPTH = 100  # both engines' parsers overflow the stack, and the process dies, somewhere between 300 and 1,000

_NUMBER = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE]-?[0-9]+)?")
_PARAMETER = re.compile(r"\$(?:[A-Za-z_][A-Za-z0-9_]*|[0-9]+)")
_STRING_ESCAPE = re.compile(r"""\\(?:[\\'"bBfFnNrRtT]|[xX][0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8})""")
_OPENING = {"(": ")", "[": "]", "{": "}"}


class Kind(Enum):
    """What a token is."""

    WORD = "word"
    QUOTED = "quoted name"
    STRING = "string"
    NUMBER = "number"
    PARAMETER = "parameter"
    SIGN = "sign"


@dataclass(frozen=True)
class Token:
    """A token with its text as written and its position, both from 1."""

    kind: Kind
    text: str
    line: int
    column: int

    @property
    def word(self) -> str:
        """The word in capitals, or "" for anything else. ASCII only: no homoglyph is a keyword."""
        return self.text.upper() if self.kind is Kind.WORD and self.text.isascii() else ""

    def is_sign(self, signs: str) -> bool:
        """Whether it is one of these signs, each a single character."""
        return self.kind is Kind.SIGN and self.text in signs

    def error(self, code: ErrorCode, message: str, hint: str | None = None) -> PlatformError:
        """An error that names the place of this token."""
        return PlatformError(
            code,
            f"{message}, at line {self.line}, column {self.column}",
            hint,
            {"line": self.line, "column": self.column},
        )


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.line_start = 0
        self.line = 1

    def refuse(self, message: str, hint: str | None = None) -> PlatformError:
        column = self.at - self.line_start + 1
        return PlatformError(
            ErrorCode.QUERY_ERROR,
            f"{message}, at line {self.line}, column {column}",
            hint,
            {"line": self.line, "column": column},
        )

    def advance(self, length: int) -> str:
        piece = self.text[self.at : self.at + length]
        for offset, character in enumerate(piece):
            if character == "\n":
                self.line += 1
                self.line_start = self.at + offset + 1
        self.at += length
        return piece


def tokens(text: str) -> tuple[Token, ...]:
    """The tokens of a text, without its comments.

    Raises:
        PlatformError: QUERY_ERROR with line and column, for text that the engines may read in another way than this.
    """
    reader = _Reader(text)
    found: list[Token] = []
    closing: list[str] = []
    while reader.at < len(text):
        length = _gap(reader)
        if length:
            reader.advance(length)
            continue
        kind, length = _token(reader)
        token = Token(kind, text[reader.at : reader.at + length], reader.line, reader.at - reader.line_start + 1)
        if kind is Kind.SIGN:
            _check_brackets(reader, closing, token.text)
        reader.advance(length)
        found.append(token)
        if len(found) > MAX_TOKENS:
            raise reader.refuse(f"the statement has more than {MAX_TOKENS} words and signs", "pass data as parameters")
    if closing:
        raise reader.refuse(f"the statement ends where {closing[-1]!r} is missing")
    return tuple(found)


def _gap(reader: _Reader) -> int:
    """The length of the white space or comment that begins here, 0 if none does."""
    text, at = reader.text, reader.at
    character = text[at]
    if character == "\0":
        raise reader.refuse("a NUL character is not allowed")
    if character <= " " or (character > "\x7f" and unicodedata.category(character) in ("Zs", "Zl", "Zp")):
        return 1
    if text.startswith("//", at):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        if "\r" in text[at:end].rstrip("\r"):
            raise reader.refuse("a carriage return inside a comment is not allowed")
        return end - at
    if text.startswith("/*", at):
        end = text.find("*/", at + 2)
        if end < 0:
            raise reader.refuse("a comment is not closed")
        return end + 2 - at
    return 0


def _token(reader: _Reader) -> tuple[Kind, int]:
    text, at = reader.text, reader.at
    character = text[at]
    if character in "'\"":
        return Kind.STRING, _string_length(reader, character)
    if character == "`":
        end = text.find("`", at + 1)
        if end < 0:
            raise reader.refuse("a quoted name is not closed")
        if end == at + 1 or text.startswith("`", end + 1):
            raise reader.refuse("a name may not be empty or hold a backtick")
        if not text[at + 1 : end].isprintable():
            raise reader.refuse("a quoted name holds a character that cannot be shown")
        return Kind.QUOTED, end + 1 - at
    if character == "$":
        parameter = _PARAMETER.match(text, at)
        if not parameter:
            raise reader.refuse("a parameter is `$` and a name of letters, digits and `_`")
        return Kind.PARAMETER, parameter.end() - at
    number = _NUMBER.match(text, at)
    if number:
        return Kind.NUMBER, number.end() - at
    if character.isidentifier():
        end = at + 1
        while end < len(text) and ("a" + text[end]).isidentifier():
            end += 1
        return Kind.WORD, end - at
    if character > "\x7e" or character == "\\":
        raise reader.refuse(
            f"the character U+{ord(character):04X} is not allowed outside a string",
            "put a name that has it between backticks",
        )
    return Kind.SIGN, 2 if text.startswith("..", at) else 1


def _string_length(reader: _Reader, quote: str) -> int:
    text, end = reader.text, reader.at + 1
    while end < len(text):
        character = text[end]
        if character == quote:
            return end + 1 - reader.at
        if character == "\0" or "\ud800" <= character <= "\udfff":
            raise reader.refuse("a string holds NUL or half a surrogate pair")
        if character == "\\":
            escape = _STRING_ESCAPE.match(text, end)
            if not escape:
                raise reader.refuse(
                    f"the engines know no escape {text[end : end + 2]!r} in a string", "write a backslash as `\\\\`"
                )
            end = escape.end()
        else:
            end += 1
    raise reader.refuse("a string is not closed")


def _check_brackets(reader: _Reader, closing: list[str], sign: str) -> None:
    if sign in _OPENING:
        closing.append(_OPENING[sign])
        if len(closing) > MAX_DEPTH:
            raise reader.refuse(f"brackets are nested more than {MAX_DEPTH} deep")
    elif sign in _OPENING.values() and (not closing or closing.pop() != sign):
        raise reader.refuse(f"{sign!r} closes nothing")
