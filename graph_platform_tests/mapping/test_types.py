"""The type table: what becomes what, what widens, what may be declared."""

from __future__ import annotations

import pytest

from graph_platform.mapping.types.rules import (
    TypeRefusal,
    can_be_ordered,
    cast_name,
    declared_type,
    engine_type,
    loses_exactness,
    loses_fractions,
    sql_type,
    widens,
)
from graph_platform.mapping.types.table import BY_SYNONYM, REFUSED, TYPES
from graph_platform.mapping.types.text import parse_warehouse_type

TABLE = [
    ("varchar", "STRING"),
    ("varchar(10)", "STRING"),
    ("char(3)", "STRING"),
    ("bigint", "INT64"),
    ("integer", "INT32"),
    ("smallint", "INT16"),
    ("tinyint", "INT8"),
    ("double", "DOUBLE"),
    ("real", "FLOAT"),
    ("decimal(10,2)", "DECIMAL(10, 2)"),
    ("decimal(38,0)", "DECIMAL(38, 0)"),
    ("boolean", "BOOL"),
    ("date", "DATE"),
    ("timestamp(3)", "TIMESTAMP"),
    ("timestamp(9)", "TIMESTAMP"),
    ("timestamp(6) with time zone", "TIMESTAMP_TZ"),
    ("uuid", "UUID"),
    ("varbinary", "BLOB"),
    ("json", "STRING"),
    ("array(varchar)", "STRING[]"),
    ("array(array(decimal(5,1)))", "DECIMAL(5, 1)[][]"),
    ("map(varchar, bigint)", "MAP(STRING, INT64)"),
    ("map(decimal(10,2), array(date))", "MAP(DECIMAL(10, 2), DATE[])"),
    ('row(a integer, "Bc" row(d uuid))', "STRUCT(a INT32, Bc STRUCT(d UUID))"),
]


@pytest.mark.parametrize(("trino", "engine"), TABLE)
def test_a_warehouse_type_becomes_its_engine_type(trino: str, engine: str) -> None:
    assert str(engine_type(trino)) == engine


@pytest.mark.parametrize("base", sorted(REFUSED))
def test_a_type_without_a_counterpart_is_refused_with_what_to_write(base: str) -> None:
    with pytest.raises(TypeRefusal) as refused:
        engine_type(base)
    assert "write " in refused.value.hint


@pytest.mark.parametrize("trino", ["array(time(3))", "map(varchar, ipaddress)", "row(a hyperloglog)", "somethingnew"])
def test_a_refused_type_is_refused_inside_another(trino: str) -> None:
    with pytest.raises(TypeRefusal):
        engine_type(trino)


@pytest.mark.parametrize(
    "trino", ["row(bigint, varchar)", 'row("a b" bigint)', 'row(a bigint, "A" bigint)', 'row("" date)']
)
def test_a_row_whose_fields_have_no_usable_names_is_refused_with_a_cast(trino: str) -> None:
    with pytest.raises(TypeRefusal) as refused:
        engine_type(trino)
    assert "CAST(x AS ROW(" in refused.value.hint


@pytest.mark.parametrize(
    ("trino", "hint"),
    [
        ("time(3)", "write CAST(a + b AS VARCHAR) AS c"),
        ("unknown", "write CAST(a + b AS VARCHAR) AS c, since a bare NULL has no type"),
        ("interval day to second", "write CAST(a + b AS VARCHAR) AS c, or to_milliseconds(a + b) AS c"),
        ("array(time(3))", "transform(a + b, e -> CAST(e AS VARCHAR)) AS c"),
        ("map(varchar, ipaddress)", "transform_values(a + b, (k, v) -> CAST(v AS VARCHAR)) AS c"),
        ("map(date, array(time(3)))", "leave it out, or choose from it what can be loaded"),
        ("row(a time(3))", "leave it out, or choose from it what can be loaded"),
        ("row(bigint)", "CAST(a + b AS ROW(field1 bigint)) AS c"),
    ],
)
def test_a_hint_is_an_item_that_can_stand_in_the_sql(trino: str, hint: str) -> None:
    with pytest.raises(TypeRefusal) as refused:
        engine_type(trino)
    assert hint in refused.value.hint_for("a + b", "c")


WIDENINGS = [
    ("INT8", "INT16"), ("INT8", "INT64"), ("INT16", "INT32"), ("INT32", "INT64"), ("INT32", "DOUBLE"),
    ("FLOAT", "DOUBLE"), ("DATE", "TIMESTAMP"), ("INT64", "DECIMAL(19,0)"), ("INT64", "DECIMAL(21,2)"),
    ("INT32", "DECIMAL(10,0)"), ("DECIMAL(10,2)", "DECIMAL(12,2)"), ("DECIMAL(10,2)", "DECIMAL(11,3)"),
    ("DECIMAL(18,0)", "INT64"), ("DECIMAL(10,2)", "DOUBLE"), ("STRING", "STRING"), ("INT32[]", "INT64[]"),
    ("MAP(STRING, INT8)", "MAP(STRING, DOUBLE)"), ("STRUCT(a INT32)", "STRUCT(A INT64)"),
]  # fmt: skip
NARROWINGS = [
    ("INT64", "INT32"), ("INT64", "DOUBLE"), ("DOUBLE", "INT64"), ("DOUBLE", "FLOAT"), ("INT32", "FLOAT"),
    ("INT64", "STRING"), ("DATE", "STRING"), ("UUID", "STRING"), ("STRING", "UUID"), ("STRING", "INT64"),
    ("TIMESTAMP", "DATE"), ("TIMESTAMP", "TIMESTAMP_TZ"), ("TIMESTAMP_TZ", "TIMESTAMP"), ("INT64", "DECIMAL(18,0)"),
    ("INT64", "DECIMAL(20,2)"), ("DECIMAL(10,2)", "DECIMAL(11,4)"), ("DECIMAL(10,2)", "DECIMAL(10,1)"),
    ("DECIMAL(19,0)", "INT64"), ("DECIMAL(10,2)", "INT64"), ("BOOL", "INT64"), ("INT64[]", "INT32[]"),
    ("INT64[]", "INT64"), ("STRUCT(a INT32)", "STRUCT(b INT32)"), ("STRUCT(a INT32)", "STRUCT(a INT32, b INT32)"),
    ("MAP(STRING, INT64)", "MAP(INT64, INT64)"), ("BLOB", "STRING"), ("DOUBLE", "DECIMAL(38,10)"),
]  # fmt: skip


@pytest.mark.parametrize(("narrow", "wide"), WIDENINGS)
def test_a_type_widens_where_nothing_is_lost(narrow: str, wide: str) -> None:
    assert widens(declared_type(narrow), declared_type(wide))


@pytest.mark.parametrize(("inferred", "declared"), NARROWINGS)
def test_a_type_does_not_become_another_where_something_could_be_lost(inferred: str, declared: str) -> None:
    assert not widens(declared_type(inferred), declared_type(declared))


@pytest.mark.parametrize(
    ("synonym", "engine"), [(name, row.engine) for name, row in BY_SYNONYM.items() if row.engine != "DECIMAL"]
)
def test_a_synonym_is_what_it_stands_for_in_any_case(synonym: str, engine: str) -> None:
    assert str(declared_type(synonym)) == str(declared_type(synonym.lower())) == engine


@pytest.mark.parametrize(
    ("declared", "canonical"),
    [
        ("varchar(20)[]", "STRING[]"),
        ("numeric(10,2)", "DECIMAL(10, 2)"),
        ("timestamp(3)", "TIMESTAMP"),
        ("row(a int)", "STRUCT(a INT32)"),
        ("map(varchar, array(bigint))", "MAP(STRING, INT64[])"),
    ],
)
def test_a_declared_type_is_written_in_the_engines_way(declared: str, canonical: str) -> None:
    assert str(declared_type(declared)) == canonical


@pytest.mark.parametrize(
    "declared",
    ["", "STRNG", "LIST", "MAP", "STRUCT", "ARRAY", "TIME", "INTERVAL", "INT128", "UINT8", "SERIAL", "DECIMAL",
     "DECIMAL(39,0)", "DECIMAL(5,6)", "DECIMAL(0,0)", "DECIMAL(1,2,3)", "INT64(3)", "STRUCT(`a b` INT32)",
     "STRUCT(a INT32, A INT32)", "TIMESTAMP_NS", "STRING[", "STRUCT(_id INT32)"],
)  # fmt: skip
def test_a_type_that_no_graph_has_is_refused_with_a_hint(declared: str) -> None:
    with pytest.raises(TypeRefusal) as refused:
        declared_type(declared)
    assert refused.value.hint


@pytest.mark.parametrize(("trino", "engine"), [row for row in TABLE if not row[0].startswith(("json", "char"))])
def test_the_cast_of_a_hint_names_a_type_that_becomes_the_engine_type(trino: str, engine: str) -> None:
    assert str(engine_type(cast_name(declared_type(engine)))) == engine


def test_a_decimal_declared_as_double_is_known_as_a_loss_also_inside() -> None:
    assert loses_exactness(declared_type("MAP(STRING, DECIMAL(5,1)[])"), declared_type("MAP(STRING, DOUBLE[])"))
    assert not loses_exactness(declared_type("DOUBLE[]"), declared_type("DOUBLE[]"))


def test_a_timestamp_finer_than_microseconds_is_known_also_inside() -> None:
    assert loses_fractions(parse_warehouse_type("array(row(a timestamp(9) with time zone))"))
    assert not loses_fractions(parse_warehouse_type("array(row(a timestamp(6)))"))


@pytest.mark.parametrize("trino", ["varchar(3)", "decimal(9,2)", "array(uuid)", "row(a date, b array(varbinary))"])
def test_a_type_can_be_ordered_if_everything_inside_can(trino: str) -> None:
    assert can_be_ordered(parse_warehouse_type(trino))


@pytest.mark.parametrize("trino", ["json", "map(varchar, bigint)", "array(json)", "row(a date, b json)", "hyperloglog"])
def test_json_maps_and_what_holds_them_cannot_be_ordered(trino: str) -> None:
    assert not can_be_ordered(parse_warehouse_type(trino))


def test_a_field_that_is_named_like_a_keyword_is_quoted_in_sql() -> None:
    assert sql_type(parse_warehouse_type('array(row("from" date, a bigint))')) == 'array(row("from" date, a bigint))'
    assert cast_name(declared_type("STRUCT(`order` INT64)")) == 'ROW("order" BIGINT)'


def test_no_name_stands_in_two_rows() -> None:
    for names in ("sources", "synonyms"):
        found = [name for row in TYPES for name in getattr(row, names)]
        assert len(found) == len(set(found))
    assert len({row.engine for row in TYPES}) == len(TYPES)


def test_what_a_type_widens_to_widens_no_further_than_it_does_itself() -> None:
    by_engine = {row.engine: row for row in TYPES}
    for row in TYPES:
        for wider in row.widens:
            assert by_engine[wider].widens <= row.widens, f"{row.engine} → {wider}"
