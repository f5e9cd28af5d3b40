"""The definitions of tables that a writer may send: a grammar of its own, smaller than the engines'.

What it has no rule for is refused: options (`WITH (storage = '/folder')` makes LadybugDB read a folder or a URL),
tables made from a query, defaults that call a function, indexes, sequences, macros, types, graphs, comments.

    definition = CREATE NODE TABLE [IF NOT EXISTS] name ( column {, column} [, PRIMARY KEY ( name )] )
               | CREATE REL TABLE [GROUP] [IF NOT EXISTS] name ( ends {, ends} {, property} [, multiplicity] )
               | DROP TABLE [IF EXISTS] name
               | ALTER TABLE name change
    change     = ADD [IF NOT EXISTS] ends | ADD [IF NOT EXISTS] property
               | DROP [IF EXISTS] ends | DROP [IF EXISTS] name
               | RENAME TO name | RENAME name TO name
    ends       = FROM name TO name [multiplicity]
    column     = property [PRIMARY KEY]
    property   = name type [DEFAULT literal]
    type       = a word of TYPE_NAMES | DECIMAL ( number , number ) | MAP ( type , type )
               | STRUCT ( name type {, name type} ) | UNION ( name type {, name type} ) | type [ [number] ]
    literal    = [-] number | string | TRUE | FALSE | NULL | [ literal {, literal} ] | { name : literal {, …} }
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graph_platform.engine.gate.functions import words
from graph_platform.engine.gate.lexer import Kind, Token
from graph_platform.errors import ErrorCode, PlatformError

TYPE_NAMES = words(
    "BOOL BOOLEAN INT INT8 INT16 INT32 INT64 INT128 UINT8 UINT16 UINT32 UINT64 SERIAL FLOAT REAL DOUBLE STRING BLOB "
    "UUID DATE TIMESTAMP TIMESTAMP_SEC TIMESTAMP_MS TIMESTAMP_NS TIMESTAMP_TZ INTERVAL JSON"
)
"""Types that are a single word; LadybugDB alone has JSON."""

MULTIPLICITIES = words("ONE_ONE ONE_MANY MANY_ONE MANY_MANY")

_DEFINITIONS = "CREATE NODE TABLE, CREATE REL TABLE, ALTER TABLE and DROP TABLE"


def check_definition(statement: Sequence[Token]) -> None:
    """Refuse what the grammar above does not derive, from the first word to the end.

    Raises:
        PlatformError: PERMISSION_DENIED with line and column, and what could stand there.
    """
    _Definition(statement).check()


class _Definition:
    """Reads from left to right; a method takes what its rule says, or refuses."""

    def __init__(self, statement: Sequence[Token]) -> None:
        self._statement = statement
        self._at = 0

    def check(self) -> None:
        if self._takes("CREATE", "NODE", "TABLE"):
            self._if("NOT", "EXISTS")
            self._name("the name of the table")
            self._sign("(")
            self._list(self._column_or_key)
            self._sign(")")
        elif self._takes("CREATE", "REL", "TABLE"):
            self._takes("GROUP")
            self._if("NOT", "EXISTS")
            self._name("the name of the table")
            self._sign("(")
            self._ends()
            self._while_comma(self._ends_property_or_multiplicity)
            self._sign(")")
        elif self._takes("DROP", "TABLE"):
            self._if("EXISTS")
            self._name("the name of the table")
        elif self._takes("ALTER", "TABLE"):
            self._name("the name of the table")
            self._change()
        else:
            raise self._refusal(f"one of {_DEFINITIONS}")
        if self._at < len(self._statement):
            raise self._refusal("the end of the statement")

    def _change(self) -> None:
        if self._takes("ADD"):
            self._if("NOT", "EXISTS")
            if self._at_ends():
                self._ends()
            else:
                self._property()
        elif self._takes("DROP"):
            self._if("EXISTS")
            if self._at_ends():
                self._ends()
            else:
                self._name("the name of a property")
        elif self._takes("RENAME"):
            if not self._takes("TO"):
                self._name("the name of a property, or TO")
                self._word("TO")
            self._name("the new name")
        else:
            raise self._refusal("ADD, DROP or RENAME")

    def _column_or_key(self) -> None:
        if self._takes("PRIMARY", "KEY"):
            self._sign("(")
            self._name("the name of the key")
            self._sign(")")
            return
        self._property()
        if self._takes("PRIMARY"):
            self._word("KEY")

    def _ends_property_or_multiplicity(self) -> None:
        if self._at_ends():
            self._ends()
        elif self._word_at(0) in MULTIPLICITIES and self._sign_at(1) == ")":
            self._at += 1
        else:
            self._property()

    def _ends(self) -> None:
        self._word("FROM")
        self._name("the name of a node table")
        self._word("TO")
        self._name("the name of a node table")
        if self._word_at(0) in MULTIPLICITIES:
            self._at += 1

    def _property(self) -> None:
        self._name("the name of a property")
        self._type()
        if self._takes("DEFAULT"):
            self._literal()

    def _type(self) -> None:
        word = self._word_at(0)
        if self._sign_at(1) == "(" and word in ("DECIMAL", "MAP", "STRUCT", "UNION"):
            self._at += 2
            if word == "DECIMAL":
                self._number()
                self._sign(",")
                self._number()
            elif word == "MAP":
                self._type()
                self._sign(",")
                self._type()
            else:
                self._list(self._field)
            self._sign(")")
        elif word in TYPE_NAMES:
            self._at += 1
        else:
            raise self._refusal("a type, such as STRING, INT64, DECIMAL(10, 2) or STRING[]")
        while self._sign_at(0) == "[":
            self._at += 1
            if self._sign_at(0) != "]":
                self._number()
            self._sign("]")

    def _field(self) -> None:
        self._name("the name of a field")
        self._type()

    def _literal(self) -> None:
        if self._sign_at(0) == "[":
            self._at += 1
            if self._sign_at(0) != "]":
                self._list(self._literal)
            self._sign("]")
        elif self._sign_at(0) == "{":
            self._at += 1
            self._list(self._entry)
            self._sign("}")
        elif self._sign_at(0) == "-":
            self._at += 1
            self._number()
        elif self._kind_at(0) in (Kind.NUMBER, Kind.STRING) or self._word_at(0) in ("TRUE", "FALSE", "NULL"):
            self._at += 1
        else:
            raise self._refusal("a value, such as 1, 'text', true or ['a', 'b']: a default calls no function")

    def _entry(self) -> None:
        self._name("the name of a field")
        self._sign(":")
        self._literal()

    def _list(self, one: Callable[[], None]) -> None:
        one()
        self._while_comma(one)

    def _while_comma(self, one: Callable[[], None]) -> None:
        while self._sign_at(0) == ",":
            self._at += 1
            one()

    def _if(self, *rest: str) -> None:
        if self._word_at(0) == "IF" and self._word_at(1) == rest[0]:
            self._at += 1
            for word in rest:
                self._word(word)

    def _at_ends(self) -> bool:
        """FROM begins ends only where TO follows a name; else it is a property of that name."""
        return self._word_at(0) == "FROM" and self._word_at(2) == "TO"

    def _takes(self, *expected: str) -> bool:
        if any(self._word_at(offset) != word for offset, word in enumerate(expected)):
            return False
        self._at += len(expected)
        return True

    def _word(self, expected: str) -> None:
        if not self._takes(expected):
            raise self._refusal(expected)

    def _sign(self, expected: str) -> None:
        if self._sign_at(0) != expected:
            raise self._refusal(f"`{expected}`")
        self._at += 1

    def _number(self) -> None:
        if self._kind_at(0) is not Kind.NUMBER:
            raise self._refusal("a number")
        self._at += 1

    def _name(self, expected: str) -> None:
        if self._kind_at(0) not in (Kind.WORD, Kind.QUOTED):
            raise self._refusal(expected)
        self._at += 1

    def _kind_at(self, offset: int) -> Kind | None:
        at = self._at + offset
        return self._statement[at].kind if at < len(self._statement) else None

    def _word_at(self, offset: int) -> str:
        return self._statement[self._at + offset].word if self._kind_at(offset) is Kind.WORD else ""

    def _sign_at(self, offset: int) -> str:
        return self._statement[self._at + offset].text if self._kind_at(offset) is Kind.SIGN else ""

    def _refusal(self, expected: str) -> PlatformError:
        at_end = self._at >= len(self._statement)
        token = self._statement[-1] if at_end else self._statement[self._at]
        found = f"nothing after {token.text}" if at_end else token.text
        return token.error(
            ErrorCode.PERMISSION_DENIED,
            f"{found} is not allowed in the definition of a table",
            f"{expected} may stand there. {_DEFINITIONS} are allowed, without options, queries or functions",
        )
