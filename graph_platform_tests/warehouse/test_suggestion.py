"""Mappings suggested from real tables: what is suggested validates, loads, and says what was a guess."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.mapping.data_checks import DataChecks
from graph_platform.mapping.document import read_mapping
from graph_platform.mapping.model import MappingDefinition
from graph_platform.mapping.suggest import write_suggestion
from graph_platform.platform import Platform
from graph_platform.settings import Settings
from graph_platform.warehouse.duckdb.warehouse import DuckDBWarehouse
from graph_platform.warehouse.protocol import Warehouse
from graph_platform.warehouse.suggestion import suggest_from_query, suggest_from_schema
from graph_platform.warehouse.trino.address import TrinoAddress
from graph_platform.warehouse.trino.warehouse import TrinoWarehouse
from graph_platform.warehouse.validation import validate_on
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


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[DuckDBWarehouse]:
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(SHOP)
    warehouse = DuckDBWarehouse(path)
    yield warehouse
    warehouse.close()


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
        ("Order", "id", "INT64"),
        ("ProductDetail", "sku", "STRING"),
    }
    assert edges(mapping) == {
        ("ORDER_CUSTOMER", "Order", "Customer", "id", "buyer"),
        ("ORDER_ITEMS", "Order", "Product", "order_id", "product"),
        ("PRODUCT_DETAIL_PRODUCT", "ProductDetail", "Product", "sku", "sku_there"),
    }
    link = next(edge for edge in mapping.edge_definitions if edge.type == "ORDER_ITEMS")
    assert [(p.name, p.type) for p in link.properties] == [("quantity", "INT32")]
    assert "# log is not used: no column that can be a key has a value of its own in each row" in text
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
        document = platform.suggest_mapping(None, None, False, "nyc", Recorder())
        assert document["notes"] == []
        platform.create_mapping(read_mapping(document["yaml"]), BY, Recorder())
        snapshot = platform.create_snapshot("nyc", None, None, None, BY, Recorder())
    assert snapshot.status == "ready"
    assert snapshot.rows > 329_174


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
            ("Customer", "custkey"), ("Nation", "nationkey"), ("Order", "orderkey"), ("Part", "partkey"),
            ("Region", "regionkey"), ("Supplier", "suppkey"),
        }  # fmt: skip
        assert {
            ("CUSTOMER_NATION", "Customer", "Nation", "custkey", "nationkey"),
            ("NATION_REGION", "Nation", "Region", "nationkey", "regionkey"),
            ("ORDER_CUSTOMER", "Order", "Customer", "orderkey", "custkey"),
            ("PARTSUPP", "Part", "Supplier", "partkey", "suppkey"),
        } <= edges(mapping)
        require_loadable(warehouse, mapping)
    finally:
        warehouse.close()
