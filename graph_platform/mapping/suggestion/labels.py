"""Names of a graph made from names of tables: labels in the singular, edge types in capitals, no two the same.

What the singular of a noun is, is `inflect`'s to say.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from graph_platform.mapping.definition.quoting import is_word_of_cypher
from graph_platform.mapping.definition.structure import EDGE_TYPE, LABEL, MAX_LABEL

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", re.ASCII)
# English singulars that end in s, which no rule tells from plurals.
_SINGULAR_ENDINGS = ("us", "ss", "is")
_SHORTEST_PLURAL = 4


def words(name: str) -> list[str]:
    """The words of a name in lower case: `OrderItems`, `order_items` and `ORDER-ITEMS` are `order`, `items`."""
    return [word.lower() for word in _WORD.findall(name)]


def singular(word: str) -> str:
    """The singular of an English noun in lower case, or the word itself."""
    if len(word) < _SHORTEST_PLURAL or word.endswith(_SINGULAR_ENDINGS):
        return word
    return str(_engine().singular_noun(word) or word)


def singular_words(name: str) -> list[str]:
    """The words of a table's name, its last one in the singular."""
    found = words(name)
    return [*found[:-1], singular(found[-1])] if found else []


class Names:
    """Labels and edge types of one mapping; no two are the same without regard to case."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def label(self, name: str) -> str:
        """A node's label: `order_items` becomes `OrderItem`; `orders` stays `Orders`: ORDER is a word of Cypher."""
        one, many = ("".join(word.capitalize() for word in found) for found in (singular_words(name), words(name)))
        fits = (found for found in (one, many) if LABEL.fullmatch(found) and not is_word_of_cypher(found))
        return self._free(next(fits, f"Node{one}"))

    def edge_type(self, *names: str) -> str:
        """An edge's type: `order`, `customer` become `ORDER_CUSTOMER`."""
        found = "_".join(word for name in names for word in words(name)).upper()
        fits = EDGE_TYPE.fullmatch(found) and not is_word_of_cypher(found)
        return self._free(found if fits else f"EDGE_{found}".rstrip("_"), "_")

    def _free(self, name: str, separator: str = "") -> str:
        name = name[: MAX_LABEL - 4]
        found, number = name, 1
        while found.lower() in self._taken:
            number += 1
            found = f"{name}{separator}{number}"
        self._taken.add(found.lower())
        return found


@cache
def _engine() -> Any:
    import inflect  # noqa: PLC0415 - it takes half a second, which only a suggestion should cost

    return inflect.engine()
