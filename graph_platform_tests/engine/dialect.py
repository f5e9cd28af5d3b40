"""Statements at random from a model of the engines' dialect, made so that an engine would bind them on `fuzz_graph.py`.

Keywords are names of everything that can have a name. Not here: anything hostile (`hostile.py`), nor running them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from graph_platform.engine.gate.clauses import Access
from graph_platform.engine.gate.functions import words
from graph_platform_tests.engine.fuzz_graph import EDGES, NODES

NAMES = words(
    "ADD ALTER ANALYZE AS ATTACH BEGIN BY CALL CHECKPOINT COMMENT COMMIT CONTAINS COPY COUNT CYCLE DATABASE DECIMAL "
    "DELETE DETACH DROP EXPLAIN EXPORT EXTENSION FORCE FROM GRAPH IF IMPORT INCREMENT IS KEY LIMIT LOAD LOGICAL MAP "
    "MATCH MAXVALUE MERGE MINVALUE NO NODE PASSWORD PROJECT READ REL RENAME RETURN ROLE ROLLBACK SEQUENCE SET SKIP "
    "START STRUCT TO TRANSACTION TYPE UNINSTALL UPDATE USE USER WRITE YIELD"
)
"""Keywords that both engines take for names: `test_grammar.py` holds them against the parsers' tables."""

_NAMES = tuple(sorted(NAMES))

RESERVED = words(
    "ACYCLIC ALL AND ANY ASC CASE CAST COLUMN CREATE DEFAULT DESC DISTINCT ELSE END ENDS EXISTS FALSE GLOB GROUP "
    "HEADERS HINT IN INSTALL JOIN MACRO MULTI_JOIN NONE NOT NULL ON ONLY OPTIONAL OR ORDER PRIMARY PROFILE SHORTEST "
    "SINGLE STARTS TABLE THEN TRAIL TRUE UNION UNWIND WHEN WHERE WITH WSHORTEST XOR"
)
KEYWORDS = tuple(sorted(NAMES | RESERVED))
GLUE = "\x00"
"""Between two tokens that have no space between them."""

_PLAIN = ("a", "b", "n", "m", "x", "y", "left_one", "größe", "_u")
# Nothing that makes NaN: as a grouping key beside a DISTINCT aggregate it crashes both engines (it is not equal to
# itself), which no text tells, since it may as well lie in the data.
_SCALARS: dict[str, tuple[str, ...]] = {
    "int": (
        "abs int",
        "size string",
        "size list",
        "to_int64 int",
        "coalesce int int",
        "levenshtein string string",
        "bitwise_and int int",
        "factorial small",
        "length string",
        "nullif int int",
        "list_sum ints",
        "sign int",
        "list_position list string",
        "date_part part date",
        "list_extract ints small",
        "ifnull int int",
    ),
    "double": ("cbrt int", "atan int", "pow double small", "round double small", "sin double", "to_double int", "pi"),
    "string": (
        "upper string",
        "concat string string",
        "substring string small small",
        "lpad string small string",
        "reverse string",
        "to_string int",
        "md5 string",
        "typeof int",
        "left string small",
        "regexp_replace string string string",
        "coalesce string string",
        "split_part string string small",
        "list_to_string string list",
        "trim string",
        "repeat string small",
        "initcap string",
        "concat_ws string string string",
        "dayname date",
    ),
    "bool": (
        "contains string string",
        "starts_with string string",
        "list_contains list string",
        "regexp_matches string string",
        "list_has_all list list",
        "ends_with string string",
    ),
    "list": (
        "list_append list string",
        "list_sort list",
        "list_reverse list",
        "list_distinct list",
        "string_split string string",
        "list_concat list list",
        "list_slice list small small",
        "regexp_extract_all string string",
        "list_creation string string",
    ),
    "ints": ("range small small", "list_prepend ints int", "list_sort ints", "list_transform_ints", "list_filter_ints"),
    "date": ("date day", "last_day date", "date_trunc part date", "make_date year small small", "greatest date date"),
}
_AGGREGATES = ("count any", "sum int", "avg double", "min int", "max string", "collect any", "count_star")
_OPERATORS = {"int": ["+", "-", "*", "/", "%", "^"], "double": ["+", "-", "*"], "string": ["+"]}


@dataclass(frozen=True)
class _Variable:
    name: str
    kind: str
    table: str = ""


class Dialect:
    """Makes the tokens of one query or definition at a time from a random number generator."""

    def __init__(self, chance: random.Random, access: Access) -> None:
        self._chance = chance
        self._access = access
        self._scope: list[_Variable] = []
        self._fresh = 0
        self._depth = 1
        """How deep expressions are nested: parsing deep ones takes an engine most of the time, so few are."""

    # Queries

    def query(self) -> list[str]:
        self._scope = []
        tokens = self._single_query(self._chance.choice((0, 0, 1, 1, 1, 2, 3)))
        while self._chance.random() < 0.06:
            self._scope = []
            tokens += ["UNION", *self._maybe("ALL"), *self._single_query(1)]
        return tokens

    def _single_query(self, clauses: int) -> list[str]:
        tokens: list[str] = []
        if self._chance.random() < 0.06:
            tokens += self._table_call()
        for _ in range(clauses):
            makes = [self._match, self._match, self._unwind, self._with]
            tokens += self._chance.choice(makes)()
        if self._access == "write" and self._chance.random() < 0.6:
            tokens += self._updating()
            if self._chance.random() < 0.7:
                return tokens
        return [*tokens, *self._return("RETURN")]

    def _match(self) -> list[str]:
        tokens = [*self._maybe("OPTIONAL", 0.15), "MATCH", *self._pattern()]
        while self._chance.random() < 0.1:
            tokens += [",", *self._pattern()]
        if self._chance.random() < 0.4:
            tokens += ["WHERE", *self._expression("bool", self._depth)]
        return tokens

    def _pattern(self) -> list[str]:
        tokens: list[str] = []
        name = ""
        if self._chance.random() < 0.15:
            name = self._name()
            tokens += [name, "="]
        edge = self._chance.choice(tuple(EDGES))
        source, target, _ = EDGES[edge]
        if self._chance.random() < 0.4:
            return (
                [*tokens, *self._node(self._chance.choice(tuple(NODES)))]
                if not name
                else [
                    *tokens,
                    *self._node(source),
                ]
            )
        first, last = self._node(source), self._node(target)
        details = self._edge_details(edge)
        shape = self._chance.random()
        if shape < 0.6:
            tokens += [*first, "-", *details, "-", GLUE, ">", *last]
        elif shape < 0.8:
            tokens += [*last, "<", GLUE, "-", *details, "-", *first]
        elif shape < 0.9:
            tokens += [*first, "-", GLUE, "-", GLUE, ">", *last]
        else:
            tokens += [*first, "-", *details, "-", *last]
        if name:
            self._scope.append(_Variable(name, "path"))
        return tokens

    def _node(self, table: str) -> list[str]:
        known = [one for one in self._scope if one.kind == "node" and one.table == table]
        if known and self._chance.random() < 0.3:
            return ["(", self._chance.choice(known).name, ")"]
        tokens = ["("]
        if self._chance.random() < 0.8:
            name = self._name()
            tokens.append(name)
            self._scope.append(_Variable(name, "node", table))
        if self._chance.random() < 0.9:
            tokens += [":", self._spelled(table)]
            if self._chance.random() < 0.05:
                tokens += ["|", self._spelled(self._chance.choice(tuple(NODES)))]
        if self._chance.random() < 0.15:
            key, kind = self._chance.choice(tuple(NODES[table].items()))
            tokens += ["{", self._spelled(key), ":", *self._expression(kind, 0, constant=True), "}"]
        return [*tokens, ")"]

    def _edge_details(self, edge: str) -> list[str]:
        tokens = ["["]
        recursive = self._chance.random() < 0.12
        if self._chance.random() < 0.6:
            name = self._name()
            tokens.append(name)
            self._scope.append(_Variable(name, "edges" if recursive else "edge", edge))
        tokens += [":", self._spelled(edge)]
        if self._chance.random() < 0.05:
            tokens += ["|", self._spelled(self._chance.choice(tuple(EDGES)))]
        if recursive:
            tokens += ["*", *self._maybe(self._one("SHORTEST", "ALL SHORTEST", "TRAIL", "ACYCLIC"), 0.5), "1..3"]
            if self._chance.random() < 0.2:
                key = self._chance.choice(tuple(EDGES[edge][2]))
                first, second = self._name(), self._name()
                tokens += ["(", first, ",", second, "|", "WHERE", first, GLUE, ".", GLUE, self._spelled(key)]
                tokens += ["IS NOT NULL", ")"]
        return [*tokens, "]"]

    def _unwind(self) -> list[str]:
        kind = self._one("ints", "list")
        tokens = ["UNWIND", *self._expression(kind, 1)]
        name = self._name()
        self._scope.append(_Variable(name, "int" if kind == "ints" else "string"))
        return [*tokens, "AS", name]

    def _with(self) -> list[str]:
        if self._scope and self._chance.random() < 0.15:
            return ["WITH", "*", *self._where()]
        kept: list[_Variable] = []
        items: list[str] = []
        for variable in self._chance.sample(self._scope, min(len(self._scope), self._chance.randint(0, 2))):
            name = self._name()
            items += [",", variable.name, "AS", name]
            kept.append(_Variable(name, variable.kind, variable.table))
        for _ in range(self._chance.randint(0 if items else 1, 2)):
            kind = self._one(*_SCALARS)
            name = self._name()
            items += [",", *self._expression(kind, self._depth), "AS", name]
            kept.append(_Variable(name, kind))
        self._scope = kept
        return ["WITH", *self._maybe("DISTINCT", 0.1), *items[1:], *self._where()]

    def _where(self) -> list[str]:
        return ["WHERE", *self._expression("bool", self._depth)] if self._chance.random() < 0.25 else []

    def _return(self, word: str) -> list[str]:
        if self._scope and self._chance.random() < 0.15:
            return [word, "*", *self._maybe("LIMIT 3")]
        items: list[str] = []
        names: list[str] = []
        for _ in range(self._chance.randint(1, 3)):
            roll = self._chance.random()
            if roll < 0.15:
                items += [",", *self._aggregate()]
            elif roll < 0.35 and self._scope:
                items += [",", self._chance.choice(self._scope).name]
            else:
                items += [",", *self._expression(self._one(*_SCALARS), self._depth)]
            if self._chance.random() < 0.5:
                names.append(self._name())
                items += ["AS", names[-1]]
        tokens = [word, *self._maybe("DISTINCT", 0.1), *items[1:]]
        if names and self._chance.random() < 0.2:
            tokens += ["ORDER BY", self._chance.choice(names), *self._maybe(self._one("DESC", "ASC", "DESCENDING"))]
        tokens += self._maybe("SKIP 1", 0.05) + self._maybe("LIMIT 5", 0.15)
        return tokens

    def _aggregate(self) -> list[str]:
        name, *kinds = self._chance.choice(_AGGREGATES).split()
        if name == "count_star":
            return ["count", "(", "*", ")"]
        kind = self._one(*_SCALARS) if kinds[0] == "any" else kinds[0]
        return [name, "(", *self._maybe("DISTINCT", 0.2), *self._expression(kind, 1), ")"]

    def _table_call(self) -> list[str]:
        called = self._one(
            "show_tables()", "table_info('Person')", "show_connection('KNOWS')", "db_version()", "show_functions()",
            "show_indexes()", "show_warnings()", "catalog_version()", "storage_version()",
        )  # fmt: skip
        yields = {"db_version()": "version", "catalog_version()": "version"}
        tokens = ["CALL", called]
        if called in yields and self._chance.random() < 0.5:
            name = self._name()
            self._scope.append(_Variable(name, "string"))
            tokens += ["YIELD", yields[called], "AS", name]
        return tokens

    # Writing

    def _updating(self) -> list[str]:
        nodes = [one for one in self._scope if one.kind == "node"]
        roll = self._chance.random()
        if roll < 0.35 or not nodes:
            table = self._one(*NODES)
            key, kind = next(iter(NODES[table].items()))
            properties = ["{", self._spelled(key), ":", *self._expression(kind, 1), "}"]
            name = self._name()
            tokens = [self._one("CREATE", "MERGE"), "(", name, ":", self._spelled(table), *properties, ")"]
            self._scope.append(_Variable(name, "node", table))
            if tokens[0] == "MERGE" and self._chance.random() < 0.5:
                tokens += ["ON", self._one("CREATE", "MATCH"), *self._set(self._scope[-1])]
            return tokens
        node = self._chance.choice(nodes)
        if roll < 0.7:
            return self._set(node)
        if roll < 0.85:
            return [*self._maybe("DETACH", 0.8), "DELETE", node.name]
        person = self._chance.choice([one for one in nodes if one.table == "Person"] or nodes)
        return ["CREATE", "(", person.name, ")", "-", "[", ":", "KNOWS", "]", "-", GLUE, ">", "(", person.name, ")"]

    def _set(self, node: _Variable) -> list[str]:
        key, kind = self._chance.choice(tuple(NODES[node.table].items())[1:])
        return ["SET", node.name, GLUE, ".", GLUE, self._spelled(key), "=", *self._expression(kind, 1)]

    def definition(self) -> list[str]:
        name = self._name()
        roll = self._chance.random()
        if roll < 0.4:
            columns = [self._name(), "INT64", *self._maybe("PRIMARY KEY", 0.5)]
            has_key = columns[-1] == "PRIMARY KEY"
            for _ in range(self._chance.randint(0, 3)):
                columns += [",", *self._column()]
            if not has_key:
                columns += [",", "PRIMARY KEY", "(", columns[0], ")"]
            return ["CREATE NODE TABLE", *self._maybe("IF NOT EXISTS"), name, "(", *columns, ")"]
        if roll < 0.6:
            tokens = ["CREATE REL TABLE", *self._maybe("IF NOT EXISTS"), name, "(", "FROM", "Person", "TO"]
            tokens += [self._one("Person", "City")]
            tokens += [",", *self._column()] if self._chance.random() < 0.5 else []
            tokens += [",", self._one("ONE_ONE", "MANY_ONE", "MANY_MANY")] if self._chance.random() < 0.3 else []
            return [*tokens, ")"]
        if roll < 0.7:
            return ["DROP TABLE", *self._maybe("IF EXISTS"), self._one("Person", "LIVES", name)]
        change = self._chance.random()
        tokens = ["ALTER TABLE", self._one("Person", "City", "KNOWS")]
        if change < 0.5:
            return [*tokens, "ADD", *self._maybe("IF NOT EXISTS", 0.3), *self._column()]
        if change < 0.7:
            return [*tokens, "DROP", *self._maybe("IF EXISTS", 0.3), self._one("name", "since", "`set`")]
        return [*tokens, "RENAME", *self._one_of(["TO", name], [self._one("name", "since"), "TO", name])]

    def _column(self) -> list[str]:
        kind, default = self._chance.choice(
            (("INT64", "7"), ("STRING", "'x'"), ("DOUBLE", "-1.5"), ("BOOL", "true"), ("DATE", "'2020-01-01'"),
             ("STRING[]", "['a']"), ("DECIMAL(9, 2)", "1.5"), ("MAP(STRING, INT64)", "NULL"), ("UUID", "NULL"),
             ("STRUCT(a INT64, b STRING)", "NULL"), ("INT64[3]", "NULL"), ("TIMESTAMP", "NULL"), ("BLOB", "NULL"))
        )  # fmt: skip
        tokens = [self._name(), kind]
        if self._chance.random() < 0.35:
            hostile = self._one("random()", "nextval('s')", "current_setting('threads')", "size(x -> x)", "upper('a')")
            tokens += ["DEFAULT", hostile if self._chance.random() < 0.15 else default]
        return tokens

    # Expressions

    def _expression(self, kind: str, depth: int, constant: bool = False) -> list[str]:
        simple = depth <= 0 or self._chance.random() < 0.3
        if simple:
            return self._simple(kind, constant)
        makes: list[Callable[[str, int], list[str]]] = [self._call, self._call, self._case]
        if kind in _OPERATORS:
            makes += [self._arithmetic] * 2
        if kind == "bool":
            makes += [self._comparison] * 4 + [self._logic] * 2 + [self._exists, self._quantifier]
        if kind in ("list", "ints"):
            makes += [self._list] * 2
        return self._chance.choice(makes)(kind, depth - 1)

    def _simple(self, kind: str, constant: bool) -> list[str]:
        if not constant and self._chance.random() < 0.75:
            found = self._known(kind)
            if found:
                return found
        literals: dict[str, Sequence[str]] = {
            "int": ("1", "42", "-3", "0", "$p"),
            "small": ("1", "2", "3"),
            "double": ("1.5", ".5", "2e-1", "-0.25"),
            "string": ("'a'", '"b"', "'load from'", "'it\\'s'", "''", "'x//y'"),
            "bool": ("true", "false", "NULL"),
            "list": ("['a', 'b']", "['x']", "$l"),
            "ints": ("[1, 2, 3]", "[4]", "range(1, 3)"),
            "date": ("date('2020-02-29')", "current_date()"),
            "day": ("'2021-03-04'",),
            "year": ("2021",),
            "part": ("'year'", "'month'"),
        }
        return [self._chance.choice(literals[kind])]

    def _known(self, kind: str) -> list[str]:
        found: list[list[str]] = [[one.name] for one in self._scope if one.kind == kind]
        for one in self._scope:
            properties = NODES[one.table] if one.kind == "node" else EDGES[one.table][2] if one.kind == "edge" else {}
            found += [[one.name, GLUE, ".", GLUE, self._spelled(key)] for key, has in properties.items() if has == kind]
            if one.kind in ("node", "edge") and kind == "string":
                found.append(["label", "(", one.name, ")"])
            if one.kind == "path" and kind == "int":
                found.append(["length", "(", one.name, ")"])
        return self._chance.choice(found) if found else []

    def _call(self, kind: str, depth: int) -> list[str]:
        if kind not in _SCALARS:
            return self._simple(kind, constant=False)
        name, *kinds = self._chance.choice(_SCALARS[kind]).split()
        if name.endswith("_ints"):
            name, variable = name.removesuffix("_ints"), self._name()
            body = [variable, self._one("+", "*"), "1"] if name == "list_transform" else [variable, ">", "1"]
            return [name, "(", *self._expression("ints", depth), ",", variable, "-", GLUE, ">", *body, ")"]
        arguments: list[str] = []
        for argument in kinds:
            arguments += [",", *self._expression(argument, depth)]
        if self._chance.random() < 0.03:
            variable = self._name()
            arguments = [",", variable, "-", GLUE, ">", variable]
        spelled = f"`{name}`" if self._chance.random() < 0.05 else self._cased(name)
        return [spelled, "(", *arguments[1:], ")"]

    def _case(self, kind: str, depth: int) -> list[str]:
        tokens = ["CASE"]
        for _ in range(self._chance.randint(1, 2)):
            tokens += ["WHEN", *self._expression("bool", depth), "THEN", *self._expression(kind, depth)]
        return [*tokens, "ELSE", *self._expression(kind, depth), "END"]

    def _arithmetic(self, kind: str, depth: int) -> list[str]:
        operator = self._chance.choice(_OPERATORS[kind])
        tokens = [*self._expression(kind, depth), operator, *self._expression(kind, depth)]
        if kind == "int" and self._chance.random() < 0.05:
            return ["(", "3", ")", "!"]
        return ["(", *tokens, ")"] if self._chance.random() < 0.5 else tokens

    def _comparison(self, _: str, depth: int) -> list[str]:
        kind = self._one("int", "string", "double", "date")
        roll = self._chance.random()
        if roll < 0.15:
            return [*self._simple("string", False), self._one("CONTAINS", "STARTS WITH", "ENDS WITH", "=~"), "'a'"]
        if roll < 0.3:
            return [*self._simple("int", False), "IN", *self._expression("ints", depth)]
        if roll < 0.4:
            return [*self._simple(kind, False), self._one("IS NULL", "IS NOT NULL")]
        left, right = self._expression(kind, depth), self._expression(kind, depth)
        return ["(", *left, self._one("=", "<>", "<", "<=", ">", ">="), *right, ")"]

    def _logic(self, _: str, depth: int) -> list[str]:
        word = self._one("AND", "OR", "XOR")
        negated = self._maybe("NOT", 0.3)
        left, right = self._expression("bool", depth), self._expression("bool", depth)
        return [*negated, "(", *left, word, *right, ")"]

    def _exists(self, _: str, depth: int) -> list[str]:
        before = list(self._scope)
        pattern = self._pattern()
        where = ["WHERE", *self._expression("bool", depth)] if self._chance.random() < 0.4 else []
        self._scope = before
        if self._chance.random() < 0.7:
            return ["EXISTS", "{", "MATCH", *pattern, *where, "}"]
        return ["COUNT", "{", "MATCH", *pattern, *where, "}", ">", "1"]

    def _quantifier(self, _: str, depth: int) -> list[str]:
        name = self._name()
        values = self._expression("ints", depth)
        return [self._one("any", "ALL", "none", "single"), "(", name, "IN", *values, "WHERE", name, ">", "1", ")"]

    def _list(self, kind: str, depth: int) -> list[str]:
        inner = "int" if kind == "ints" else "string"
        tokens = ["["]
        for index in range(self._chance.randint(1, 3)):
            tokens += [*([","] if index else []), *self._expression(inner, depth)]
        return [*tokens, "]"]

    # Words and spaces

    def _name(self) -> str:
        """A new name: plain, a keyword, or a keyword between backticks."""
        self._fresh += 1
        roll = self._chance.random()
        if roll < 0.55:
            return f"{self._chance.choice(_PLAIN)}{self._fresh}"
        taken = {one.name.strip("`").upper() for one in self._scope}
        keyword = self._chance.choice([word for word in _NAMES if word not in taken])
        return self._cased(keyword) if roll < 0.75 else f"`{self._cased(keyword)}`"

    def _spelled(self, name: str) -> str:
        return f"`{name}`" if self._chance.random() < 0.3 else name

    def _cased(self, word: str) -> str:
        roll = self._chance.random()
        if roll < 0.5:
            return word
        return word.lower() if roll < 0.8 else "".join(self._one(c.upper(), c.lower()) for c in word)

    def _one(self, *choices: str) -> str:
        return self._chance.choice(choices)

    def _one_of(self, *choices: list[str]) -> list[str]:
        return self._chance.choice(choices)

    def _maybe(self, token: str, probability: float = 0.5) -> list[str]:
        return [token] if self._chance.random() < probability else []
