"""Mappings suggested from real tables: what is suggested validates, loads, and says what was a guess."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.mapping.checks.data import DataChecks
from graph_platform.mapping.definition.document import read_mapping
from graph_platform.mapping.definition.model import MappingDefinition
from graph_platform.mapping.suggestion.suggest import write_suggestion
from graph_platform.platform import Platform
from graph_platform.proving.requests import CreateMapping, SuggestMapping
from graph_platform.proving.suggestion import suggest_from_query, suggest_from_schema
from graph_platform.proving.validation import validate_on
from graph_platform.settings import Settings
from graph_platform.snapshot.requests import CreateSnapshot
from graph_platform.warehouse.duckdb.warehouse import DuckDBWarehouse
from graph_platform.warehouse.protocol import Warehouse
from graph_platform.warehouse.trino.address import TrinoAddress
from graph_platform.warehouse.trino.warehouse import TrinoWarehouse
from graph_platform_tests.services.trino import TrinoServer
from graph_platform_tests.worlds import BY, Recorder, make_settings

SETTINGS = Settings.load({})

SHOP = """
CREATE TABLE customers (_id INTEGER PRIMARY KEY, id VARCHAR, "order" VARCHAR, since TIME);
CREATE TABLE products (sku VARCHAR PRIMARY KEY, price DECIMAL(8, 2));
CREATE TABLE orders (id BIGINT PRIMARY KEY, buyer INTEGER REFERENCES customers (_id), placed TIMESTAMP);
CREATE TABLE order_items (
    order_id BIGINT REFERENCES orders (id), product VARCHAR REFERENCES products (sku), quantity INTEGER,
    PRIMARY KEY (order_id, product)
);
CREATE TABLE product_details (sku VARCHAR PRIMARY KEY REFERENCES products (sku), text VARCHAR);
CREATE TABLE log (line VARCHAR);
INSERT INTO customers VALUES (1, 'a', 'x', '10:00'), (2, 'b', 'y', NULL), (3, 'c', NULL, NULL);
INSERT INTO products VALUES ('p1', 1.50), ('p2', 2.50), ('p3', NULL);
INSERT INTO orders VALUES (10, 1, '2024-01-01'), (11, 1, NULL), (12, NULL, NULL);
INSERT INTO order_items VALUES (10, 'p1', 1), (10, 'p2', 5), (11, 'p1', 2);
INSERT INTO product_details VALUES ('p1', 'good'), ('p2', 'better');
INSERT INTO log VALUES ('x'), ('x');
"""


@contextmanager
def tables(folder: Path, sql: str) -> Iterator[DuckDBWarehouse]:
    path = folder / "w.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(sql)
    warehouse = DuckDBWarehouse(path)
    try:
        yield warehouse
    finally:
        warehouse.close()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[DuckDBWarehouse]:
    with tables(tmp_path, SHOP) as warehouse:
        yield warehouse


def suggested(warehouse: Warehouse, schema: str | None = None) -> tuple[MappingDefinition, str]:
    """The suggestion for a schema, read back from its text, and the text."""
    made = suggest_from_schema(warehouse, "suggested", warehouse.relations(schema), SETTINGS, lambda _: None)
    text = write_suggestion(made)
    read = read_mapping(text)
    assert read == made.mapping
    return read, text


def require_loadable(warehouse: Warehouse, mapping: MappingDefinition) -> None:
    """Valid, without bad data."""
    report = validate_on(warehouse, mapping, SETTINGS, lambda _: None, DataChecks.ENFORCED).report
    assert report.valid, report.errors


def edges(mapping: MappingDefinition) -> set[tuple[str, str, str, str, str]]:
    return {(e.type, e.from_node, e.to_node, e.from_key, e.to_key) for e in mapping.edge_definitions}


def test_declared_keys_become_nodes_references_and_links(shop: DuckDBWarehouse) -> None:
    mapping, text = suggested(shop)
    assert {(n.label, n.primary_key.name, n.primary_key.type) for n in mapping.node_definitions} == {
        ("Customer", "id_2", "INT64"),
        ("Product", "sku", "STRING"),
        ("Orders", "id", "INT64"),
        ("ProductDetail", "sku", "STRING"),
    }
    assert edges(mapping) == {
        ("ORDERS_CUSTOMER", "Orders", "Customer", "id", "buyer"),
        ("ORDER_ITEMS", "Orders", "Product", "order_id", "product"),
        ("PRODUCT_DETAIL_PRODUCT", "ProductDetail", "Product", "sku", "sku_there"),
    }
    link = next(edge for edge in mapping.edge_definitions if edge.type == "ORDER_ITEMS")
    assert [(p.name, p.type) for p in link.properties] == [("quantity", "INT32")]
    assert (
        "# log is not used: it does not link two tables, and no column that can be a key has a value of its own" in text
    )
    assert "# buyer refers to customers: declared as a foreign key, 100 % of its values" in text
    assert "1 of 3 rows are left out" in text
    assert "# since is time(6), which a graph does not have: it is cast to text" in text
    require_loadable(shop, mapping)


def test_references_are_found_by_name_and_by_value_and_proved_on_real_flights(flights: Warehouse) -> None:
    mapping, text = suggested(flights)
    assert [(n.label, n.primary_key.name) for n in mapping.node_definitions] == [
        ("Airline", "carrier"), ("Airport", "faa"), ("Plane", "tailnum"),
    ]  # fmt: skip
    assert edges(mapping) == {
        ("FLIGHTS", "Airport", "Airport", "origin", "dest"),
        ("FLIGHTS_CARRIER_TAILNUM", "Airline", "Plane", "carrier", "tailnum"),
    }
    assert "97.7 % of its values are keys there; 7,602 of 336,776 rows are left out" in text
    assert "# tailnum is the key: 3,322 rows, each with a value of its own" in text
    require_loadable(flights, mapping)


def test_a_query_becomes_a_node_or_an_edge_on_either_warehouse(flights: Warehouse) -> None:
    found = suggest_from_query(flights, None, "SELECT model, seats, tailnum FROM planes", False, SETTINGS)
    (node,) = found.mapping.node_definitions
    assert (node.label, node.primary_key.name, node.primary_key.type) == ("Plane", "tailnum", "STRING")
    assert [(p.name, p.type) for p in node.properties] == [("model", "STRING"), ("seats", "INT32")]
    require_loadable(flights, found.mapping)
    sql = "SELECT count(*) AS n, origin, dest FROM flights GROUP BY origin, dest"
    found = suggest_from_query(flights, None, sql, True, SETTINGS)
    (edge,) = found.mapping.edge_definitions
    assert (edge.from_key, edge.to_key, [p.name for p in edge.properties]) == ("origin", "dest", ["n"])
    require_loadable(flights, found.mapping)


def test_keys_that_the_tables_spell_in_two_ways_are_one_in_the_mapping(tmp_path: Path) -> None:
    spelt = """
    CREATE TABLE users ("Id" INTEGER PRIMARY KEY); INSERT INTO users VALUES (1);
    CREATE TABLE visits (id INTEGER PRIMARY KEY); INSERT INTO visits VALUES (2);
    """
    with tables(tmp_path, spelt) as warehouse:
        made, _ = suggested(warehouse)
        assert {node.primary_key.name for node in made.node_definitions} == {"Id"}
        require_loadable(warehouse, made)


def test_a_name_that_the_data_does_not_prove_is_no_reference(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE users AS SELECT i AS id FROM range(10) t(i)")
        connection.execute("CREATE TABLE visits AS SELECT i AS id, 1000 + i AS user_id FROM range(10) t(i)")
    warehouse = DuckDBWarehouse(path)
    try:
        mapping, _ = suggested(warehouse)
    finally:
        warehouse.close()
    assert len(mapping.node_definitions) == 2
    assert mapping.edge_definitions == ()


def test_a_suggested_snapshot_loads(home: Path, catalog_url: str, flights_file: Path) -> None:
    with Platform.open(make_settings(home, catalog_url, warehouse=f"duckdb://{flights_file}")) as platform:
        document = platform.mappings.suggest(SuggestMapping(edge=False, name="nyc"), Recorder())
        assert document["notes"] == []
        platform.mappings.create(CreateMapping(mapping=read_mapping(document["yaml"])), BY, Recorder())
        snapshot = platform.snapshots.create(CreateSnapshot(mapping="nyc"), BY, Recorder())
    assert snapshot.status == "ready"
    assert snapshot.rows > 329_174


HIERARCHIES = """
CREATE TABLE regions (code VARCHAR, name VARCHAR, parent_code VARCHAR);
INSERT INTO regions VALUES ('EU', 'Europe', NULL), ('DE', 'Germany', 'EU'), ('BE', 'Berlin', 'DE');
CREATE TABLE staff (id BIGINT, name VARCHAR, manager_id BIGINT, badge_id BIGINT);
INSERT INTO staff VALUES (1, 'Ana', NULL, 3), (2, 'Bo', 1, 2), (3, 'Cy', 1, 1);
CREATE TABLE parts (id BIGINT, parent_id BIGINT);
INSERT INTO parts VALUES (1, 70), (2, 80), (3, 1);
"""


def test_a_column_that_names_a_row_of_its_own_table_is_a_hierarchy_where_its_name_and_the_data_say_so(
    tmp_path: Path,
) -> None:
    with tables(tmp_path, HIERARCHIES) as warehouse:
        mapping, text = suggested(warehouse)
        require_loadable(warehouse, mapping)
    assert {(e.from_node, e.to_node, e.from_key, e.to_key) for e in mapping.edge_definitions} == {
        ("Region", "Region", "code", "parent_code"),
        ("Staff", "Staff", "id", "manager_id"),  # and neither badge_id nor parts.parent_id
    }
    assert "parent_code is named after another row of regions, 100 % of its values are keys there" in text


def test_a_table_of_a_few_doubled_keys_is_told_with_the_sql_that_makes_it_a_node(tmp_path: Path) -> None:
    rows = "SELECT i AS customer_id, 'n' || (i % 7) AS name FROM range(1000) t(i)"
    doubled = f"CREATE TABLE customers AS {rows} UNION ALL SELECT i, 'again' FROM range(31) t(i)"
    with tables(tmp_path, f"{doubled}; CREATE TABLE other (id BIGINT); INSERT INTO other VALUES (1)") as warehouse:
        _, text = suggested(warehouse)
        (note,) = [line for line in text.splitlines() if "customers is not used" in line]
        assert "customer_id is nearest, with 1,000 values in 1,031 rows (96.9 %)" in note
        found = note.partition("select from ")[2]
        made = suggest_from_query(warehouse, "customers", f"SELECT customer_id, name FROM {found}", False, SETTINGS)
        assert [node.primary_key.name for node in made.mapping.node_definitions] == ["customer_id"]
        require_loadable(warehouse, made.mapping)


def test_a_query_becomes_a_node_with_its_key_first(shop: DuckDBWarehouse) -> None:
    sql = "SELECT price, sku, price * 2 AS double_price FROM products -- all of them;"
    made = suggest_from_query(shop, None, sql, False, SETTINGS)
    mapping = read_mapping(write_suggestion(made))
    (node,) = mapping.node_definitions
    assert (node.label, node.primary_key.name) == ("Product", "sku")
    assert [p.name for p in node.properties] == ["price", "double_price"]
    require_loadable(shop, mapping)


def test_a_query_that_is_right_as_it_stands_is_kept_as_it_stands(shop: DuckDBWarehouse) -> None:
    sql = "SELECT sku, price\nFROM products"
    assert suggest_from_query(shop, "wares", sql, False, SETTINGS).mapping.node_definitions[0].sql == sql


def test_a_query_becomes_an_edge_between_the_keys_that_it_selects(shop: DuckDBWarehouse) -> None:
    sql = "SELECT quantity / 2.0 AS half, buyer, id FROM orders, order_items"
    made = suggest_from_query(shop, None, sql, True, SETTINGS)
    mapping = read_mapping(write_suggestion(made))
    (edge,) = mapping.edge_definitions
    assert (edge.type, edge.from_node, edge.to_node, edge.from_key, edge.to_key) == (
        "ORDERS", "Buyer", "Id", "buyer", "id",
    )  # fmt: skip
    assert "a guess" in write_suggestion(made)
    require_loadable(shop, mapping)


@pytest.mark.parametrize(
    ("sql", "edge", "told"),
    [
        ("SELECT nothing FROM products", False, "nothing"),
        ("DROP TABLE products", False, "not a query"),
        ("SELECT sku, price * 2 FROM products", False, "column 2 of the SQL has no name"),
        ("SELECT sku, sku FROM products", False, "column 2 of the SQL is named sku like one before it"),
        ("SELECT line FROM log", False, "no key for a node"),
        ("SELECT sku, price FROM products", True, "two columns that can be keys"),
    ],
)
def test_a_query_that_gives_no_definition_is_refused_with_why(
    shop: DuckDBWarehouse, sql: str, edge: bool, told: str
) -> None:
    with pytest.raises(PlatformError) as failure:
        suggest_from_query(shop, None, sql, edge, SETTINGS)
    assert failure.value.code is ErrorCode.VALIDATION_FAILED
    assert told in failure.value.message


def test_a_schema_of_a_trino_server_becomes_a_graph(trino_server: TrinoServer) -> None:
    warehouse = TrinoWarehouse(TrinoAddress("127.0.0.1", trino_server.port, "http", "tester", "tpch", "tiny"))
    try:
        mapping, _ = suggested(warehouse)
        assert {(n.label, n.primary_key.name) for n in mapping.node_definitions} == {
            ("Customer", "custkey"), ("Nation", "nationkey"), ("Orders", "orderkey"), ("Part", "partkey"),
            ("Region", "regionkey"), ("Supplier", "suppkey"),
        }  # fmt: skip
        assert {
            ("CUSTOMER_NATION", "Customer", "Nation", "custkey", "nationkey"),
            ("NATION_REGION", "Nation", "Region", "nationkey", "regionkey"),
            ("ORDERS_CUSTOMER", "Orders", "Customer", "orderkey", "custkey"),
            ("PARTSUPP", "Part", "Supplier", "partkey", "suppkey"),
        } <= edges(mapping)
        require_loadable(warehouse, mapping)
    finally:
        warehouse.close()


ODD_COLUMNS = """
CREATE TABLE odd AS SELECT 1 AS id, [{'sku': 'a', 'price': 1.50::DECIMAL(8, 2)}] AS items,
    [{'name': 'x', 'owner': '12151fd2-7586-11e9-8f9e-2a86e4085a59'::UUID}] AS owned,
    MAP {'a': [{'s': 'x', 'd': 1.25::DECIMAL(5, 2)}]} AS of_lists, row(1, 'a') AS pair,
    {'from': TIME '10:00', 'to': TIME '11:00', 'more': '{}'::JSON} AS span, [TIME '10:00'] AS times,
    [{'a b': 1}] AS blanks, 1::VARIANT AS anything, 'POINT (1 2)'::GEOMETRY AS place, 12::BIGNUM AS far,
    '101'::BIT AS bits, union_value(n := 1) AS either, INTERVAL 1 DAY AS pause, TIMETZ '10:00:00+01' AS zoned,
    2 AS "a`b", 3 AS "a_b", 4 AS "a
b", 5 AS "bell\x07", 6 AS "line\u2028separator", 7 AS _long;
"""


def test_every_column_is_in_the_mapping_as_a_graph_can_hold_it_or_is_left_out_with_why(tmp_path: Path) -> None:
    sql = ODD_COLUMNS + f'ALTER TABLE odd RENAME _long TO "{"x" * 300}"'
    with tables(tmp_path, sql) as warehouse:
        mapping, text = suggested(warehouse)
        require_loadable(warehouse, mapping)
        query = suggest_from_query(warehouse, None, "SELECT * FROM odd", False, SETTINGS).mapping
        require_loadable(warehouse, query)
        spans = warehouse.fetch(f'SELECT s.span."from" AS f FROM ({mapping.node_definitions[0].sql}) AS s', 1, 60)
    assert spans == (("10:00:00",),)
    assert {p.name: p.type for p in mapping.node_definitions[0].properties} == {
        "items": "STRUCT(sku STRING, price DOUBLE)[]", "owned": "STRUCT(name STRING, owner STRING)[]",
        "of_lists": "MAP(STRING, STRUCT(s STRING, d DOUBLE)[])", "pair": "STRUCT(field1 INT32, field2 STRING)",
        "span": "STRUCT(from STRING, to STRING, more STRING)", "times": "STRING[]", "place": "STRING", "far": "STRING",
        "bits": "STRING", "either": "STRING", "pause": "STRING", "zoned": "STRING", "a_b_2": "INT32", "a_b": "INT32",
        "a_b_3": "INT32", "bell_": "INT32", "line_separator": "INT32", "x" * 255: "INT32",
    }  # fmt: skip
    assert "# items is array(row(sku varchar, price decimal(8,2))), which a graph does not have: it is cast to " in text
    assert "# a`b is named a_b_2, since no property may have that name" in text
    assert '# blanks is array(row("a b" integer)) and left out: ' in text
    assert 'the type row("a b" integer) has a field whose ' in text
    assert "# anything is variant and left out: the type variant has no counterpart in the graph" in text


def test_a_query_of_more_columns_than_a_definition_may_have_gives_one_that_validates(shop: DuckDBWarehouse) -> None:
    sql = f"SELECT sku, {', '.join(f'{number} AS c{number}' for number in range(110))} FROM products"
    made = suggest_from_query(shop, None, sql, False, SETTINGS)
    require_loadable(shop, made.mapping)
    assert "# left out, since 100 properties are the most: c100, " in write_suggestion(made)
    both = sql.replace("sku", "sku, id").replace("products", "products, orders")
    made = suggest_from_query(shop, None, both, True, SETTINGS)
    require_loadable(shop, made.mapping)


def test_a_table_that_cannot_be_read_is_a_note_and_the_rest_is_suggested(tmp_path: Path) -> None:
    csv = tmp_path / "people.csv"
    csv.write_text("id,name\n1,a\n", encoding="utf-8")
    sql = f"""{SHOP}
        CREATE VIEW outside AS SELECT * FROM read_csv('{csv}');
        CREATE VIEW not_numbers AS SELECT CAST(sku AS INTEGER) AS id FROM products;"""
    with tables(tmp_path, sql) as warehouse:
        mapping, text = suggested(warehouse)
        require_loadable(warehouse, mapping)
        with pytest.raises(PlatformError, match="the data of the query cannot be read") as failure:
            suggest_from_query(warehouse, None, "SELECT id FROM not_numbers", False, SETTINGS)
    assert failure.value.code is ErrorCode.VALIDATION_FAILED
    assert len(mapping.node_definitions) == 4
    assert "# not_numbers is not used: its data cannot be read: Could not convert string 'p1' to INT32" in text


def test_a_table_that_does_not_answer_in_time_is_a_note(tmp_path: Path) -> None:
    endless = "CREATE VIEW endless AS SELECT a.id + b.id * c.id AS id FROM many a, many b, many c"
    sql = f"CREATE TABLE many AS SELECT i AS id FROM range(20000) t(i); {endless}"
    settings = Settings.load({"GRAPH_PLATFORM_DATA_CHECK_SECONDS": "1"})
    with tables(tmp_path, sql) as warehouse:
        made = suggest_from_schema(warehouse, "slow", warehouse.relations(), settings, lambda _: None)
    assert [node.label for node in made.mapping.node_definitions] == ["Many"]
    assert made.notes[0].startswith("endless is not used: its data cannot be read: the warehouse did not end")


def test_a_declared_key_that_no_edge_can_follow_is_told(tmp_path: Path) -> None:
    sql = """
        CREATE TABLE shelves (id INTEGER PRIMARY KEY, hall INTEGER, place INTEGER, code VARCHAR UNIQUE,
            UNIQUE (hall, place));
        CREATE TABLE boxes (id INTEGER PRIMARY KEY, hall INTEGER, place INTEGER,
            shelf VARCHAR REFERENCES shelves (code), FOREIGN KEY (hall, place) REFERENCES shelves (hall, place));
        INSERT INTO shelves VALUES (1, 1, 1, 'a'), (2, 1, 2, 'b');
        INSERT INTO boxes VALUES (10, 1, 1, 'a'), (11, 1, 2, 'b');"""
    with tables(tmp_path, sql) as warehouse:
        mapping, text = suggested(warehouse)
        require_loadable(warehouse, mapping)
    assert (
        "# boxes (hall, place) refers to shelves (hall, place), declared as a foreign key, and no edge follows it: "
        "an edge finds its node by one column\n" in text
    )
    assert (
        "# boxes (shelf) refers to shelves (code), declared as a foreign key, and no edge follows it: "
        "the key of its node is id\n" in text
    )


RICH = """
CREATE VIEW hive.suggestions.rich AS SELECT 1 AS id, approx_set(regionkey) AS visitors,
    qdigest_agg(regionkey) AS spread,
    tdigest_agg(regionkey) AS around, make_set_digest(regionkey) AS seen, ROW(1, 'a') AS pair,
    ARRAY[TIME '10:00:00'] AS times, MAP(ARRAY['a'], ARRAY[TIME '10:00:00']) AS by_day, color('red') AS shade,
    ARRAY[approx_set(regionkey)] AS sketches,
    CAST(ROW(1, TIME '10:00:00', JSON '{}') AS ROW("from" integer, "order" time(3), more json)) AS span,
    CAST(ARRAY[ROW('a', 1.50)] AS ARRAY(ROW(sku varchar, price decimal(8, 2)))) AS items, 2 AS "a`b"
FROM tpch.tiny.region
"""


def test_types_that_trino_cannot_cast_and_a_stale_view_do_not_end_a_suggestion(trino_server: TrinoServer) -> None:
    for statement in (
        "CREATE SCHEMA hive.suggestions",
        "CREATE TABLE hive.suggestions.people AS SELECT 1 AS id",
        "CREATE VIEW hive.suggestions.stale AS SELECT id FROM hive.suggestions.people",
        "DROP TABLE hive.suggestions.people",
        "CREATE TABLE hive.suggestions.people AS SELECT 'x' AS id",
        RICH,
    ):
        trino_server.run(statement)
    warehouse = TrinoWarehouse(TrinoAddress("127.0.0.1", trino_server.port, "http", "tester", "hive", "suggestions"))
    try:
        mapping, text = suggested(warehouse)
        require_loadable(warehouse, mapping)
    finally:
        warehouse.close()
    rich = next(node for node in mapping.node_definitions if node.label == "Rich")
    assert {p.name: p.type for p in rich.properties} == {
        "visitors": "INT64", "spread": "INT64", "around": "DOUBLE", "seen": "INT64",
        "pair": "STRUCT(field1 INT32, field2 STRING)", "times": "STRING[]", "by_day": "MAP(STRING, STRING)",
        "span": "STRUCT(from INT32, order STRING, more STRING)", "items": "STRUCT(sku STRING, price DOUBLE)[]",
        "a_b": "INT32",
    }  # fmt: skip
    assert "# visitors is hyperloglog, which a graph does not have: it is cardinality(visitors)" in text
    assert "# shade is color and left out: the type color has no counterpart in the graph" in text
    assert "# sketches is array(hyperloglog) and left out" in text
    assert "# stale is not used: its data cannot be read: View 'hive.suggestions.stale' is stale" in text
