"""Names of tables as names of a graph."""

import pytest

from graph_platform.mapping.suggestion.labels import Names, singular_words


@pytest.mark.parametrize(
    ("table", "label"),
    [
        ("airlines", "Airline"),
        ("order_items", "OrderItem"),
        ("OrderItems", "OrderItem"),
        ("ORDER-ITEMS", "OrderItem"),
        ("addresses", "Address"),
        ("address", "Address"),
        ("status", "Status"),
        ("statuses", "Status"),
        ("people", "Person"),
        ("categories", "Category"),
        ("gas", "Gas"),
        ("news", "News"),
        ("HTTPRequests", "HttpRequest"),
        ("2024 sales", "Node2024Sale"),
        ("Größe", "GrE"),
        ("数据", "Node"),
    ],
)
def test_a_label_is_the_singular_in_capitals(table: str, label: str) -> None:
    assert Names().label(table) == label


def test_no_two_names_are_the_same_for_the_engines() -> None:
    names = Names()
    assert [names.label("sales"), names.label("Sale"), names.edge_type("sale"), names.edge_type("sale", "id")] == [
        "Sale",
        "Sale2",
        "SALE_2",
        "SALE_ID",
    ]


def test_an_edge_type_is_in_capitals_and_begins_with_a_letter() -> None:
    assert Names().edge_type("order_items", "customerId") == "ORDER_ITEMS_CUSTOMER_ID"
    assert Names().edge_type("2nd") == "EDGE_2_ND"
    assert len(Names().label("x" * 300)) <= 64


def test_only_the_last_word_is_made_singular() -> None:
    assert singular_words("sales_people") == ["sales", "person"]
