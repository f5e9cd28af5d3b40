"""The text of types, read and written: Trino's notation and the notation of the engines' DDL.

Only the grammar is here. Which type becomes which, and what is allowed at all, is `graph_platform.mapping.types.rules`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_TYPE_DEPTH = 32
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_TOKEN = re.compile(r"\s*(?:([^\W\d]\w*)|(\d+)|\"((?:[^\"]|\"\")*)\"|`([^`]*)`|([(),\[\]]))")
_TIME_ZONE = " with time zone"


@dataclass(frozen=True)
class WarehouseType:
    """A Trino type: base name in lower case, numbers such as precision, and inner types.

    `fields` are the names of a row's fields (None where it has none), empty for every other type. `timestamp with time
    zone` is one base name; its precision is in `numbers`.
    """

    base: str
    numbers: tuple[int, ...] = ()
    inner: tuple[WarehouseType, ...] = ()
    fields: tuple[str | None, ...] = ()

    def __str__(self) -> str:
        if self.base == "row":
            parts = [
                f"{quoted_field(name)} {kind}" if name is not None else str(kind)
                for name, kind in zip(self.fields, self.inner, strict=True)
            ]
            return f"row({', '.join(parts)})"
        if self.inner:
            return f"{self.base}({', '.join(map(str, self.inner))})"
        numbers = f"({','.join(map(str, self.numbers))})" if self.numbers else ""
        if self.base.endswith(_TIME_ZONE):
            return self.base.removesuffix(_TIME_ZONE) + numbers + _TIME_ZONE
        return self.base + numbers


@dataclass(frozen=True)
class EngineType:
    """A type of the engines: base name in capitals. A list is `LIST` with one inner type, a struct has `fields`.

    `str()` is the engines' own notation, as their schema shows it; `ddl()` the same with quoted fields, since a field
    may be named like a keyword.
    """

    base: str
    numbers: tuple[int, ...] = ()
    inner: tuple[EngineType, ...] = ()
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self._text("")

    def ddl(self) -> str:
        """The type as DDL and casts have to say it."""
        return self._text("`")

    def _text(self, quote: str) -> str:
        inner = [kind._text(quote) for kind in self.inner]
        if self.base == "LIST" and inner:
            return f"{inner[0]}[]"
        if self.base == "STRUCT" and inner:
            fields = (f"{quote}{name}{quote} {kind}" for name, kind in zip(self.fields, inner, strict=True))
            return f"STRUCT({', '.join(fields)})"
        if inner:
            return f"{self.base}({', '.join(inner)})"
        return self.base + (f"({', '.join(map(str, self.numbers))})" if self.numbers else "")


def quoted_field(name: str) -> str:
    """A field's name in Trino: always quoted unless plain lower case, so that it reads back as the same name."""
    return name if _PLAIN.fullmatch(name) and name == name.lower() else '"' + name.replace('"', '""') + '"'


def parse_warehouse_type(text: str) -> WarehouseType:
    """Read a type as Trino writes it: `array(row(xYz map(varchar(3), double)))`, `timestamp(3) with time zone`.

    Raises:
        ValueError: the text is no such type.
    """
    parser = _Parser(text)
    found = parser.warehouse_type(0)
    parser.end()
    return found


def parse_engine_type(text: str) -> EngineType:
    """Read a type as a mapping may declare it, in any case: `STRING[]`, `MAP(STRING, INT64)`, `STRUCT(a INT32)`.

    Base names come back in capitals as written, synonyms included; `normalised` in `rules` resolves them. `ARRAY(T)`
    and `LIST(T)` are read as `T[]`, `ROW(a T)` as `STRUCT(a T)`.

    Raises:
        ValueError: the text is no type.
    """
    parser = _Parser(text)
    found = parser.engine_type(0)
    parser.end()
    return found


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str]] = []
        self.position = 0
        offset, stripped = 0, text.rstrip()
        while offset < len(stripped):
            match = _TOKEN.match(stripped, offset)
            if match is None:
                raise self.error()
            word, number, quoted, ticked, sign = match.groups()
            if word is not None:
                self.tokens.append(("word", word))
            elif number is not None:
                self.tokens.append(("number", number))
            elif sign is not None:
                self.tokens.append((sign, sign))
            else:
                self.tokens.append(("quoted", quoted.replace('""', '"') if quoted is not None else ticked))
            offset = match.end()

    def error(self) -> ValueError:
        return ValueError(f"{self.text!r} is not a type")

    def peek(self, ahead: int = 0) -> tuple[str, str]:
        index = self.position + ahead
        return self.tokens[index] if index < len(self.tokens) else ("", "")

    def accept(self, kind: str) -> bool:
        if self.peek()[0] == kind:
            self.position += 1
            return True
        return False

    def take(self, kind: str) -> str:
        found, value = self.peek()
        if found != kind:
            raise self.error()
        self.position += 1
        return value

    def end(self) -> None:
        if self.position != len(self.tokens):
            raise self.error()

    def words(self, *expected: str) -> bool:
        if all(self.peek(i)[0] == "word" and self.peek(i)[1].lower() == w for i, w in enumerate(expected)):
            self.position += len(expected)
            return True
        return False

    def numbers(self) -> tuple[int, ...]:
        found = [int(self.take("number"))]
        while self.accept(","):
            found.append(int(self.take("number")))
        self.take(")")
        return tuple(found)

    def deeper(self, depth: int) -> int:
        if depth >= MAX_TYPE_DEPTH:
            raise ValueError(f"the type is nested more than {MAX_TYPE_DEPTH} deep")
        return depth + 1

    def zoned(self) -> str:
        if self.words("with", "time", "zone"):
            return _TIME_ZONE
        self.words("without", "time", "zone")
        return ""

    def warehouse_type(self, depth: int) -> WarehouseType:  # noqa: PLR0911
        base = self.take("word").lower()
        depth = self.deeper(depth)
        if base in ("time", "timestamp"):
            numbers = self.numbers() if self.accept("(") else ()
            return WarehouseType(base + self.zoned(), numbers)
        if base == "double" and self.words("precision"):
            return WarehouseType("double")
        if base == "interval":
            while self.peek()[0] == "word":
                base += " " + self.take("word").lower()
            return WarehouseType(base)
        if not self.accept("("):
            return WarehouseType(base)
        if base == "row":
            return self.row(depth)
        if self.peek()[0] == "number":
            return WarehouseType(base, self.numbers())
        inner = [self.warehouse_type(depth)]
        while self.accept(","):
            inner.append(self.warehouse_type(depth))
        self.take(")")
        if len(inner) != {"array": 1, "map": 2}.get(base, len(inner)):
            raise self.error()
        return WarehouseType(base, (), tuple(inner))

    def row(self, depth: int) -> WarehouseType:
        names: list[str | None] = []
        inner: list[WarehouseType] = []
        while True:
            kind, value = self.peek()
            # A field is `name type` or only `type`; `timestamp with …` and `double precision` are one type of several
            # words, so a word is a name only if a type follows that is not the rest of these.
            follows = self.peek(1)
            continued = value.lower() in ("timestamp", "time") and follows[1].lower() in ("with", "without")
            precise = value.lower() == "double" and follows[1].lower() == "precision"
            interval = value.lower() == "interval" and follows[1].lower() in ("year", "day")
            if kind == "quoted" or (kind == "word" and follows[0] == "word" and not (continued or precise or interval)):
                self.position += 1
                names.append(value)
            else:
                names.append(None)
            inner.append(self.warehouse_type(depth))
            if not self.accept(","):
                break
        self.take(")")
        return WarehouseType("row", (), tuple(inner), tuple(names))

    def engine_type(self, depth: int) -> EngineType:
        depth = self.deeper(depth)
        found = self.engine_base(depth)
        while self.accept("["):
            self.take("]")
            depth = self.deeper(depth)
            found = EngineType("LIST", (), (found,))
        return found

    def engine_base(self, depth: int) -> EngineType:  # noqa: PLR0911
        base = self.take("word").upper()
        if base == "DOUBLE" and self.words("precision"):
            return EngineType("DOUBLE")
        if base in ("TIMESTAMP", "TIME"):
            numbers = self.numbers() if self.accept("(") else ()
            return EngineType(base + self.zoned().upper(), numbers)
        if not self.accept("("):
            return EngineType(base)
        if base in ("STRUCT", "ROW"):
            names, inner = [], []
            while True:
                kind, name = self.peek()
                if kind not in ("word", "quoted"):
                    raise self.error()
                self.position += 1
                names.append(name)
                inner.append(self.engine_type(depth))
                if not self.accept(","):
                    break
            self.take(")")
            return EngineType("STRUCT", (), tuple(inner), tuple(names))
        if self.peek()[0] == "number":
            return EngineType(base, self.numbers())
        inner = [self.engine_type(depth)]
        while self.accept(","):
            inner.append(self.engine_type(depth))
        self.take(")")
        if base in ("ARRAY", "LIST") and len(inner) == 1:
            return EngineType("LIST", (), tuple(inner))
        if base == "MAP" and len(inner) == 2:
            return EngineType("MAP", (), tuple(inner))
        raise self.error()
