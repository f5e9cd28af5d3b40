"""A warehouse that changes under a kept mapping: what is told, and that no snapshot is begun."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.platform import Platform
from graph_platform.settings import Settings
from graph_platform_tests.worlds import BY, Recorder, make_settings, people


@pytest.fixture
def settings(home: Path, catalog_url: str) -> Iterator[Settings]:
    """A home whose catalog keeps `people`, made when the tables were as they were."""
    made = make_settings(home, catalog_url)
    with Platform.open(made) as platform:
        platform.create_mapping(people(), BY, Recorder())
    yield made


def alter(settings: Settings, *statements: str) -> None:
    with duckdb.connect(settings.warehouse.removeprefix("duckdb://")) as connection:
        for statement in statements:
            connection.execute(statement)


def drifted(settings: Settings) -> dict[str, Any]:
    with Platform.open(settings) as platform:
        return platform.diff_mapping("people", Recorder())


def told(found: dict[str, Any]) -> list[tuple[str, str, str | None, str | None, str | None, bool]]:
    names = ("kind", "entity", "field", "before", "after", "breaks")
    return [tuple(change[name] for name in names) for change in found["changes"]]  # type: ignore[misc]


def test_a_version_keeps_the_columns_that_the_warehouse_gave(settings: Settings) -> None:
    with Platform.open(settings) as platform:
        shown = platform.show_mapping("people")
    assert shown["columns"][0]["name"] == "Person"
    assert shown["columns"][0]["columns"][3] == {
        "name": "score", "warehouse_type": "decimal(12,4)", "engine_type": "DECIMAL(12, 4)",
    }  # fmt: skip
    assert [each["kind"] for each in shown["columns"]] == ["node", "node", "edge", "edge"]
    assert all("columns" not in version for version in shown["versions"])


def test_nothing_changed(settings: Settings) -> None:
    found = drifted(settings)
    assert (found["from"], found["holds"], found["changed"], found["text"]) == ("people@1", True, False, [])


def test_a_column_that_went_a_type_that_changed_and_a_table_that_was_renamed(settings: Settings) -> None:
    alter(
        settings,
        "ALTER TABLE person DROP COLUMN born",
        "ALTER TABLE city ALTER code TYPE BLOB",
        "ALTER TABLE knows RENAME TO acquaintance",
    )
    found = drifted(settings)
    assert not found["holds"]
    assert [(c["kind"], c["entity"], c["field"], c["before"]) for c in found["changes"]] == [
        ("COLUMN_GONE", "Person", "born", "born"),
        ("TYPE_CHANGED", "City", "code", "varchar"),
        ("TABLE_RENAMED", "KNOWS", "sql", "knows"),
    ]
    assert found["changes"][2]["after"] == "acquaintance"
    assert found["text"][2] == "! KNOWS: the table knows is gone; acquaintance has the same columns"


def test_a_table_that_is_gone_for_good(settings: Settings) -> None:
    alter(settings, "DROP TABLE lives")
    assert told(drifted(settings)) == [("TABLE_GONE", "LIVES_IN", "sql", "lives", None, True)]


def test_a_type_that_still_fits_is_told_and_breaks_nothing(settings: Settings) -> None:
    alter(settings, "ALTER TABLE knows ALTER years TYPE INTEGER")
    found = drifted(settings)
    assert found["holds"]
    assert told(found) == [("TYPE_CHANGED", "KNOWS", "years", "bigint", "integer", False)]
    with Platform.open(settings) as platform:
        assert platform.create_snapshot("people", None, None, None, BY, Recorder()).status == "ready"


def test_a_snapshot_of_a_mapping_that_no_longer_holds_is_refused_with_what_changed(settings: Settings) -> None:
    alter(settings, "ALTER TABLE person RENAME COLUMN name TO full_name", "DROP TABLE lives")
    with Platform.open(settings) as platform:
        with pytest.raises(PlatformError) as failure:
            platform.create_snapshot("people", None, None, None, BY, Recorder())
        assert platform.list_snapshots() == []
    error = failure.value
    assert error.code is ErrorCode.STARBURST_ERROR
    assert error.message.startswith("Schema has changed since mapping was created: people@1 no longer holds: ")
    assert "mapping update" in (error.hint or "")
    changes = error.details["changes"]
    assert [(c["kind"], c["entity"], c["before"]) for c in changes] == [
        ("COLUMN_GONE", "Person", "name"),
        ("TABLE_GONE", "LIVES_IN", "lives"),
    ]


def test_an_update_begins_from_the_columns_of_its_own_day(settings: Settings) -> None:
    alter(settings, "ALTER TABLE knows ALTER years TYPE INTEGER")
    changed = people().model_copy(update={"description": "another"})
    with Platform.open(settings) as platform:
        platform.update_mapping(changed, "because", BY, Recorder())
        assert not platform.diff_mapping("people", Recorder())["changed"]
        assert platform.diff_mapping("people@1", Recorder())["changed"]
