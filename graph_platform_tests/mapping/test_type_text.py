"""The text of types, read and written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_platform.mapping.types.text import (
    EngineType,
    WarehouseType,
    parse_engine_type,
    parse_warehouse_type,
)

SCALARS = st.sampled_from(
    [
        WarehouseType("varchar"),
        WarehouseType("varchar", (3,)),
        WarehouseType("bigint"),
        WarehouseType("double"),
        WarehouseType("decimal", (10, 2)),
        WarehouseType("timestamp", (3,)),
        WarehouseType("timestamp with time zone", (6,)),
        WarehouseType("time", (6,)),
        WarehouseType("interval day to second"),
        WarehouseType("json"),
    ]
)
FIELD_NAMES = st.one_of(st.none(), st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), min_size=1))


def _nested(inner: st.SearchStrategy[WarehouseType]) -> st.SearchStrategy[WarehouseType]:
    rows = st.lists(st.tuples(FIELD_NAMES, inner), min_size=1, max_size=3).map(
        lambda fields: WarehouseType("row", (), tuple(t for _, t in fields), tuple(n for n, _ in fields))
    )
    maps = st.tuples(inner, inner).map(lambda pair: WarehouseType("map", (), pair))
    return st.one_of(inner.map(lambda t: WarehouseType("array", (), (t,))), maps, rows)


@given(st.recursive(SCALARS, _nested, max_leaves=8))
def test_a_warehouse_type_reads_back_as_it_was_written(kind: WarehouseType) -> None:
    assert parse_warehouse_type(str(kind)) == kind


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("VARCHAR", "varchar"),
        ("array(row(xYz map(varchar(3), double)))", 'array(row("xYz" map(varchar(3), double)))'),
        ("MAP(DECIMAL(10,2), ARRAY(BIGINT))", "map(decimal(10,2), array(bigint))"),
        ("timestamp(3) with time zone", "timestamp(3) with time zone"),
        ("timestamp with time zone", "timestamp with time zone"),
        ("TIMESTAMP ( 6 )", "timestamp(6)"),
        ("row(bigint, varchar)", "row(bigint, varchar)"),
        ('row("a b" bigint, "c""d" varchar)', 'row("a b" bigint, "c""d" varchar)'),
        ("row(timestamp timestamp(3) with time zone)", "row(timestamp timestamp(3) with time zone)"),
        ("row(timestamp with time zone)", "row(timestamp with time zone)"),
        ("row(double double, date date)", "row(double double, date date)"),
        ("interval day to second", "interval day to second"),
        ("row(x interval year to month, y date)", "row(x interval year to month, y date)"),
    ],
)
def test_trinos_notation_is_read(text: str, expected: str) -> None:
    assert str(parse_warehouse_type(text)) == expected


_STRUCT = EngineType("STRUCT", (), (EngineType("INT32"), EngineType("STRING")), ("order", "b"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("string", EngineType("STRING")),
        ("STRING[][]", EngineType("LIST", (), (EngineType("LIST", (), (EngineType("STRING"),)),))),
        ("ARRAY(INT64)", EngineType("LIST", (), (EngineType("INT64"),))),
        ("MAP(STRING, INT64)", EngineType("MAP", (), (EngineType("STRING"), EngineType("INT64")))),
        ("DECIMAL( 10 , 2 )", EngineType("DECIMAL", (10, 2))),
        ("STRUCT(`order` INT32, b STRING)[]", EngineType("LIST", (), (_STRUCT,))),
        ("timestamp with time zone", EngineType("TIMESTAMP WITH TIME ZONE")),
    ],
)  # fmt: skip
def test_the_engines_notation_is_read(text: str, expected: EngineType) -> None:
    assert parse_engine_type(text) == expected


def test_ddl_quotes_fields_and_text_does_not() -> None:
    kind = parse_engine_type("MAP(STRING, STRUCT(order DECIMAL(5,1), b INT32[]))")
    assert str(kind) == "MAP(STRING, STRUCT(order DECIMAL(5, 1), b INT32[]))"
    assert kind.ddl() == "MAP(STRING, STRUCT(`order` DECIMAL(5, 1), `b` INT32[]))"
    assert parse_engine_type(kind.ddl()) == parse_engine_type(str(kind)) == kind


@pytest.mark.parametrize("text", ["", "(", "array(", "array()", "array(a,b)", "map(varchar)", "row(a b c)", "x)", "a;b",
                                  "decimal(10,)", "row()", "varchar(3"])  # fmt: skip
def test_what_is_no_warehouse_type_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="type"):
        parse_warehouse_type(text)


@pytest.mark.parametrize(
    "text", ["", "[]", "INT64[", "INT64[3]", "MAP(STRING)", "STRUCT()", "STRUCT(INT32)", "a b", "X(Y)"]
)
def test_what_is_no_engine_type_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="type"):
        parse_engine_type(text)


def test_a_type_without_end_is_refused_and_does_not_recurse() -> None:
    with pytest.raises(ValueError, match="deep"):
        parse_warehouse_type("array(" * 5000 + "x" + ")" * 5000)
    with pytest.raises(ValueError, match="deep"):
        parse_engine_type("INT64" + "[]" * 5000)


@given(st.text(max_size=30))
def test_any_text_is_read_or_is_a_value_error(text: str) -> None:
    for parse in (parse_warehouse_type, parse_engine_type):
        try:
            read = parse(text)
        except ValueError as error:
            assert str(error), "an error says what is wrong"
        else:
            assert str(read), "what was read can be written"
