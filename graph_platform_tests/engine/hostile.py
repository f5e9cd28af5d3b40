"""Statements for the fuzz of the gate: those of the dialect, with something hostile where it is least expected.

Hostile clauses, with paths and addresses of bait in them, begin wherever a clause can begin, and before and after every
sign; tokens are put in, left out, doubled and replaced. Same seed, same statement. Not here: running them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from graph_platform.engine.gate.clauses import Access
from graph_platform_tests.engine.dialect import GLUE, KEYWORDS, Dialect

SIGNS = (
    *[
        ".",
        ":",
        "|",
        ",",
        "=",
        "+",
        "-",
        "/",
        "%",
        "^",
        "<",
        ">",
        "&",
        "[",
        "(",
        "{",
        "*",
        "!",
        ")",
        "]",
        "}",
        "..",
        "<>",
        "<=",
        ">=",
        "=~",
        "->",
        "<-",
        "!=",
        ";",
        "$",
    ],
    "'",
    "`",
    "//",
    "/*",
    "*/",
)


@dataclass(frozen=True)
class Bait:
    """What must never be opened, listed, written or connected to."""

    folder: str
    url: str

    def paths(self) -> tuple[str, ...]:
        """Paths and addresses, as text between single quotes."""
        files = ("bait.csv", "bait.parquet", "bait.json", "bait.npy", "bait", "*.csv", "*", "", "out.csv", "inner")
        return (*(f"{self.folder}/{name}" for name in files), "bait.csv", "*.csv", self.url, f"{self.url}bait.parquet")


class Generator(Dialect):
    """Makes one statement at a time."""

    def __init__(self, chance: random.Random, access: Access, bait: Bait) -> None:
        super().__init__(chance, access)
        self._bait = bait

    def statement(self) -> str:
        """A statement: as an engine would take it, with something hostile in it, or mutilated."""
        self._depth = self._chance.choices((0, 1, 2, 3), (55, 35, 9, 1))[0]
        roll = self._chance.random()
        if roll < 0.4:
            return self._joined(self._framed())
        tokens = self.definition() if self._access == "write" and roll < 0.6 else self.query()
        if tokens[0].startswith("CREATE ") and self._chance.random() < 0.15:
            tokens += self._options()
        roll = self._chance.random()
        if roll < 0.2:
            tokens = self._with_hostile(tokens)
        elif roll < 0.4:
            tokens = self._mutated(tokens)
        if self._chance.random() < 0.08:
            tokens = [self._one("EXPLAIN", "PROFILE", "EXPLAIN LOGICAL"), *tokens]
        return self._joined(tokens)

    # What is hostile

    def _hostile(self) -> list[str]:
        path = self._chance.choice(self._bait.paths())
        options = self._one(
            "", "", " (file_format='csv', header=true, delim='|')", " (header=true)", "(file_format='parquet')"
        )
        source = self._one(
            f"'{path}'", f"'{path}'", f"'{path}'", f'"{path}"', f"['{path}']", f"GLOB('{path}')", "$p", "df",
            f"read_csv_serial('{path}')", f"read_parquet('{path}')",
        )  # fmt: skip
        load = [self._one("LOAD FROM", "LOAD FROM", "LOAD FROM", "LOAD WITH HEADERS (h STRING) FROM"), source + options]
        load += self._maybe(self._one("WHERE false", "WHERE true"), 0.3)
        function = self._one(
            "read_csv_serial", "read_csv_parallel", "read_parquet", "read_npy", "file_info", "`read_parquet`"
        )
        return self._one_of(
            load, load, load, load, load, load,
            ["CALL", f"{function}('{path}')"],
            ["CALL", f"{function}('{path}')"],
            ["CALL", "current_setting('threads')"],
            ["CALL", f"project_graph_cypher('g', 'LOAD FROM \"{path}\" RETURN *')"],
            ["CALL", "threads", "=", "1"],
            ["CALL", "home_directory", "=", f"'{path}'"],
            ["CREATE", "(", ":", "Person", "{", "id", ":", "77", "}", ")"],
            ["MERGE", "(", ":", "Person", "{", "id", ":", "78", "}", ")"],
            ["SET", "n.age", "=", "1"],
            ["DETACH", "DELETE", "n"],
            ["DELETE", "n"],
            ["COPY", "(", "MATCH (n) RETURN n.*", ")", "TO", f"'{path}'"],
            ["COPY", "Person", "FROM", f"'{path}'"],
            ["EXPORT", "DATABASE", f"'{path}'"],
            ["IMPORT", "DATABASE", f"'{path}'"],
            ["LOAD", "EXTENSION", f"'{path}'"],
            ["ATTACH", f"'{path}'", "AS", "z", "(", "dbtype", self._one("lbug", "kuzu", "duckdb"), ")"],
            ["CREATE NODE TABLE T(id INT64, PRIMARY KEY(id)) WITH (storage =", f"'{path}'", ")"],
            ["CREATE NODE TABLE T AS", *load, "RETURN *"],
            ["CREATE MACRO f(x) AS x"],
        )  # fmt: skip

    def _options(self) -> list[str]:
        path = self._chance.choice(self._bait.paths())
        return ["WITH", "(", f"storage='{path}'", *self._one_of([",", "format='icebug-disk'"], []), ")"]

    def _with_hostile(self, tokens: list[str]) -> list[str]:
        """A hostile clause in a good statement: where a clause can begin, or anywhere."""
        begins = [
            index for index, token in enumerate(tokens) if token in ("MATCH", "UNWIND", "WITH", "RETURN", "UNION")
        ]
        at = self._chance.choice(begins or [0])
        if self._chance.random() < 0.2:
            at = self._chance.randint(0, len(tokens))
        joint = self._maybe(self._one("UNION ALL", "RETURN 1 AS", "AS", "WITH 1 AS AS", "*", "!", "WITH *"), 0.3)
        if self._chance.random() < 0.15:
            joint = [self._chance.choice(SIGNS)]
        return [*tokens[:at], *joint, *self._hostile(), *tokens[at:]]

    def _framed(self) -> list[str]:
        """A short statement whose end, of every kind, is followed by a hostile clause, with or without a sign."""
        name = self._cased(self._chance.choice(KEYWORDS)) if self._chance.random() < 0.7 else self._name()
        frame = self._one_of(
            ["WITH", "1", "AS", name],
            ["UNWIND", "[1]", "AS", name],
            ["MATCH", "(", name, ":", "Person", ")"],
            ["MATCH", "(", name, ":", "Person", ")", "WITH", name],
            ["MATCH", "(", "n", ":", name, ")", "WITH", "n", ".", name],
            ["MATCH", "(", "n", ":", "Person", ")", "WHERE", "n", ".", "age", self._one("<", ">", "=", "+"), name],
            ["MATCH", "(", "n", ")", "-", "[", name, ":", self._one("KNOWS", name), "]", "-", GLUE, ">", "(", ")"],
            ["MATCH", name, "=", "(", ":", "Person", ")"],
            ["MATCH", "(", "n", ":", "Person", "{", name, ":", "1", "}", ")"],
            ["WITH", "{", name, ":", "1", "}", "AS", name],
            ["WITH", "$", GLUE, name, "AS", "x"],
            ["WITH", "[", name, "]", "AS", "x"],
            ["WITH", "CASE", "WHEN", "true", "THEN", "1", "END", "AS", name],
            ["WITH", "3", "!", "AS", name],
            ["WITH", "1", "AS", "x", "ORDER BY", "x", self._one("DESC", "ASC", name)],
            ["WITH", "1", "AS", "x", "WHERE", "x", "IN", name],
            ["UNWIND", "[1]", "AS", name, "WITH", name, "WHERE", name, "=", "3", "!"],
            ["MATCH", "(", name, ":", "Person", ")", "WHERE", name, GLUE, ".", GLUE, "id", "IN", "[", "1", "]"],
            ["MATCH", "(", "n", ":", "Person", ")", "WHERE", "EXISTS", "{", "MATCH", "(", name, ":", "City", ")", "}"],
            ["UNWIND", "[1]", "AS", "x", "WITH", "x", "WHERE", "{", name, ":", "x", "}", "=", "{", name, ":", "1", "}"],
            ["MATCH", "(", "n", ":", "Person", ")", "WITH", "*"],
            ["MATCH", "(", "n", ":", "Person", ")", "WITH", "n", ".", "*"],
            ["CALL", "show_tables()", "YIELD", "name", "AS", name],
            ["RETURN", "1", "AS", name, "UNION ALL"],
            ["RETURN", "1", "AS", name, "UNION"],
            ["WITH", "1", "AS", name, "WHERE", "EXISTS", "{"],
            ["UNWIND", "[1]", "AS", "x", "WITH", "x", "LIMIT", "1"],
            ["RETURN", name, "(", "1", ")"],
            ["RETURN", "1", "+"],
            ["RETURN", "("],
            [],
        )  # fmt: skip
        between = [self._chance.choice((*SIGNS, *KEYWORDS))] if self._chance.random() < 0.35 else []
        return [*frame, *between, *self._hostile(), *self._one_of(["RETURN", "*"], ["RETURN", "1"], [], ["AS", name])]

    def _mutated(self, tokens: list[str]) -> list[str]:
        """One to three changes: a keyword or sign put in, a token left out, doubled or replaced by a keyword."""
        changed = list(tokens)
        for _ in range(self._chance.choice((1, 1, 1, 2, 3))):
            at = self._chance.randrange(len(changed)) if changed else 0
            roll = self._chance.random()
            if roll < 0.35:
                changed.insert(at, self._cased(self._chance.choice(KEYWORDS)))
            elif roll < 0.55:
                changed.insert(at, self._chance.choice(SIGNS))
            elif roll < 0.7 and len(changed) > 1:
                del changed[at]
            elif roll < 0.8 and changed:
                changed.insert(at, changed[at])
            elif changed:
                changed[at] = self._cased(self._chance.choice(KEYWORDS))
        return changed

    def _joined(self, tokens: Sequence[str]) -> str:
        pieces: list[str] = []
        for index, token in enumerate(tokens):
            if index and GLUE not in (token, tokens[index - 1]):
                roll = self._chance.random()
                pieces.append(" " if roll < 0.97 else self._one("\n", "\t", "\u00a0", " /* LOAD */ ", "/**/", "  ", ""))
            if token != GLUE:
                pieces.append(self._cased(token) if token in KEYWORDS and self._chance.random() < 0.2 else token)
        return "".join(pieces)
