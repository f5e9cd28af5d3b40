"""Values of every type of the engines, as Cypher and as the JSON that they become; nested ones are made of others."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

SCALARS: dict[str, tuple[tuple[str, Any], ...]] = {
    "INT64": (("1", 1), ("-9223372036854775807", -(2**63) + 1), ("0", 0)),
    "INT8": (("CAST(-5 AS INT8)", -5), ("CAST(127 AS INT8)", 127)),
    "UINT64": (("CAST('18446744073709551615' AS UINT64)", 2**64 - 1), ("CAST(0 AS UINT64)", 0)),
    "UINT8": (("CAST(250 AS UINT8)", 250),),
    "INT128": (
        ("to_int128(170141183460469231731687303715884105727)", str(2**127 - 1)),
        ("to_int128('-170141183460469231731687303715884105728')", str(-(2**127))),
        ("to_int128('-1')", "-1"),
    ),
    "BOOL": (("true", True), ("false", False)),
    "DOUBLE": (
        ("1.5", 1.5),
        ("2.0", 2.0),
        ("-0.0", -0.0),
        ("1e22", 1e22),
        ("1e-7", 1e-7),
        ("5e-324", 5e-324),
        ("123456789012345680.0", 123456789012345680.0),
        ("1.7976931348623157e308", 1.7976931348623157e308),
        ("0.0 / 0.0", "NaN"),
        ("1.0 / 0.0", "Infinity"),
        ("-1.0 / 0.0", "-Infinity"),
    ),
    "FLOAT": (
        ("CAST(0.1 AS FLOAT)", 0.10000000149011612),
        ("CAST(1e30 AS FLOAT)", 1.0000000150474662e30),
        ("CAST(1.0 / 0.0 AS FLOAT)", "Infinity"),
    ),
    "STRING": (
        ("''", ""),
        ("'plain'", "plain"),
        (r"'Zoë \' \u0041 \n\t\" \\ \u0001 😀'", "Zoë ' A \n\t\" \\ \u0001 😀"),
        ("'" + "x" * 5000 + "'", "x" * 5000),
    ),
    "DECIMAL(4, 2)": tuple((f"CAST('{x}' AS DECIMAL(4, 2))", x) for x in ("1.50", "-0.05", "-12.05", "0.00")),
    "DECIMAL(9, 4)": tuple((f"CAST('{x}' AS DECIMAL(9, 4))", x) for x in ("-0.0005", "-99999.9999", "1.0000")),
    "DECIMAL(18, 2)": tuple(
        (f"CAST('{x}' AS DECIMAL(18, 2))", x) for x in ("-0.01", "-9999999999999999.99", "9999999999999999.99")
    ),
    "DECIMAL(20, 2)": tuple((f"CAST('{x}' AS DECIMAL(20, 2))", x) for x in ("-0.05", "-12345678901234567.05")),
    "DECIMAL(38, 0)": tuple((f"CAST('{x}' AS DECIMAL(38, 0))", x) for x in ("9" * 38, "-" + "9" * 38, "0")),
    "DECIMAL(38, 38)": tuple((f"CAST('{x}' AS DECIMAL(38, 38))", x) for x in (f"-0.{'0' * 37}1", f"0.{'9' * 38}")),
    "DECIMAL(1, 0)": (("CAST('-7' AS DECIMAL(1, 0))", "-7"),),
    "DATE": (
        ("date('2020-02-29')", "2020-02-29"),
        ("date('1969-12-31')", "1969-12-31"),
        ("date('0001-01-01')", "0001-01-01"),
        ("date('9999-12-31')", "9999-12-31"),
        ("CAST('10000-01-01' AS DATE)", "+10000-01-01"),
        ("CAST('0001-01-01' AS DATE) - INTERVAL('1 day')", "0000-12-31"),
        ("CAST('0001-01-01' AS DATE) - INTERVAL('400 days')", "-0001-11-28"),
    ),
    "TIMESTAMP": (
        ("timestamp('2020-02-29 01:02:03.000004')", "2020-02-29T01:02:03.000004"),
        ("timestamp('2020-02-29 01:02:03')", "2020-02-29T01:02:03"),
        ("timestamp('1960-02-29 23:59:59.900000')", "1960-02-29T23:59:59.900000"),
        ("CAST('9999-12-31 23:00:00.5' AS TIMESTAMP) + INTERVAL('1 day')", "+10000-01-01T23:00:00.500000"),
        ("CAST('0001-01-01 01:00:00' AS TIMESTAMP) - INTERVAL('1 day')", "0000-12-31T01:00:00"),
    ),
    "TIMESTAMP_NS": (("CAST('1960-02-29 01:02:03.123456' AS TIMESTAMP_NS)", "1960-02-29T01:02:03.123456"),),
    "TIMESTAMP_MS": (("CAST('2020-02-29 01:02:03.123' AS TIMESTAMP_MS)", "2020-02-29T01:02:03.123000"),),
    "TIMESTAMP_SEC": (("CAST('1960-02-29 01:02:03' AS TIMESTAMP_SEC)", "1960-02-29T01:02:03"),),
    "TIMESTAMP_TZ": (
        ("CAST('2020-02-29 01:02:03+02:00' AS TIMESTAMP_TZ)", "2020-02-28T23:02:03+00:00"),
        ("CAST('10000-01-01 23:00:00+00:00' AS TIMESTAMP_TZ)", "+10000-01-01T23:00:00+00:00"),
    ),
    "INTERVAL": (
        ("interval('1 day 2 seconds')", "P1DT2S"),
        ("interval('0 days')", "PT0S"),
        ("interval('36 hours')", "P1DT43200S"),
        ("interval('0 days') - interval('1 day 1500000 microseconds')", "-P1DT1.5S"),
        ("interval('500 microseconds')", "PT0.0005S"),
    ),
    "UUID": (
        ("uuid('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11')", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("uuid('00000000-0000-0000-0000-000000000001')", "00000000-0000-0000-0000-000000000001"),
    ),
    "BLOB": ((r"blob('\\xAA\\x00')", "qgA="), ("blob('')", "")),
}
"""By the engines' name of the type."""

KEYS = ("INT64", "STRING", "BOOL", "DATE", "UUID", "DECIMAL(4, 2)")


@dataclass(frozen=True)
class Kind:
    """A type: its name, and its parts (of a struct: the fields in order)."""

    name: str
    shape: str = "scalar"
    parts: tuple[Kind, ...] = ()


def some_kind(chance: random.Random, depth: int) -> Kind:
    """A type with at most `depth` others around each other."""
    shape = chance.choice(("scalar", "list", "fixed", "struct", "map")) if depth else "scalar"
    if shape == "scalar":
        return Kind(chance.choice(tuple(SCALARS)))
    if shape == "map":
        key, item = Kind(chance.choice(KEYS)), some_kind(chance, depth - 1)
        return Kind(f"MAP({key.name}, {item.name})", shape, (key, item))
    if shape == "struct":
        parts = tuple(some_kind(chance, depth - 1) for _ in range(chance.randint(1, 3)))
        fields = ", ".join(f"f{at} {part.name}" for at, part in enumerate(parts))
        return Kind(f"STRUCT({fields})", shape, parts)
    part = some_kind(chance, depth - 1 if shape == "list" else 0)
    if shape == "fixed" and part.name in ("STRING", "BLOB"):  # Ryugraph has none of these
        return part
    return Kind(f"{part.name}[{3 if shape == 'fixed' else ''}]", shape, (part,))


def some_value(chance: random.Random, kind: Kind, *, null: float = 0.25) -> tuple[str, Any]:
    """A value of a type as Cypher and as JSON; NULL with this probability, inside it too."""
    if chance.random() < null:
        return f"CAST(NULL AS {kind.name})", None
    if kind.shape == "scalar":
        return chance.choice(SCALARS[kind.name])
    if kind.shape == "map":
        return _some_map(chance, *kind.parts)
    if kind.shape == "struct":
        fields = [some_value(chance, part) for part in kind.parts]
        text = ", ".join(f"f{at}: {text}" for at, (text, _) in enumerate(fields))
        return f"{{{text}}}", {f"f{at}": value for at, (_, value) in enumerate(fields)}
    (part,) = kind.parts
    values = _some_values(chance, part, 3 if kind.shape == "fixed" else chance.randint(0, 3))
    return f"CAST([{', '.join(text for text, _ in values)}] AS {kind.name})", [value for _, value in values]


def _some_values(chance: random.Random, kind: Kind, number: int) -> list[tuple[str, Any]]:
    """The engines forget the type of a list in which all is NULL, so one is not."""
    whole = chance.randrange(number) if number else 0
    return [some_value(chance, kind, null=0.0 if at == whole else 0.25) for at in range(number)]


def _some_map(chance: random.Random, key: Kind, item: Kind) -> tuple[str, Any]:
    keys = chance.sample(SCALARS[key.name], min(2, len(SCALARS[key.name])))
    items = _some_values(chance, item, len(keys))
    named = {_name(name): value for (_, name), (_, value) in zip(keys, items, strict=True)}
    texts = (", ".join(text for text, _ in each) for each in (keys, items))
    return "map([{}], [{}])".format(*texts), named


def _name(key: Any) -> str:
    return key if isinstance(key, str) else str(key).lower()
