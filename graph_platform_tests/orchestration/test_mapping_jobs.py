"""A mapping's whole life as Dagster jobs, on either warehouse: made, listed, shown, changed, compared and deleted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance, ExecuteInProcessResult
from jsonschema import Draft202012Validator

from graph_platform.definitions import definitions
from graph_platform.mapping.definition.document import read_mapping
from graph_platform.orchestration.reporting import ERROR, RESULT
from graph_platform.schemas import json_schema
from graph_platform_tests.services.flights import FLIGHTS_SCHEMA
from graph_platform_tests.worlds import make_settings

Run = Callable[..., dict[str, Any]]


def _airlines(sql: str, *properties: str) -> dict[str, Any]:
    node: dict[str, Any] = {"label": "Airline", "sql": sql, "primary_key": {"name": "carrier", "type": "STRING"}}
    if properties:
        node["properties"] = [{"name": name, "type": "STRING"} for name in properties]
    return {"name": "airlines", "description": "who flies", "node_definitions": [node]}


AIRLINES = _airlines("SELECT carrier FROM airlines")
WITH_NAMES = _airlines("SELECT carrier, name FROM airlines", "name")
WRONG = _airlines("SELECT carrier, name FROM airlins", "name")


PAGE = "what the run's page shows"


def _document(result: ExecuteInProcessResult) -> dict[str, Any]:
    """The result of a run, or its error under the key `error`."""
    for event in result.filter_events(lambda event: event.is_step_failure):
        assert event.step_failure_data.user_failure_data is not None, event.step_failure_data
        return {ERROR: event.step_failure_data.user_failure_data.metadata[ERROR].value}
    (output,) = result.filter_events(lambda event: event.is_successful_output)
    assert output.step_output_data.output_name
    metadata = output.step_output_data.metadata
    document = metadata[RESULT].value
    assert isinstance(document, dict)
    return {**document, **({PAGE: metadata["answer"].value} if "answer" in metadata else {})}


@pytest.fixture(params=["duckdb", "trino"])
def run(
    request: pytest.FixtureRequest, home: Path, catalog_url: str, flights_file: Path, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Runs a job with a config, and returns its document."""
    warehouse = f"duckdb://{flights_file}"
    if request.param == "trino":
        server = request.getfixturevalue("flights_server")
        warehouse = f"trino://tester@127.0.0.1:{server.port}/{FLIGHTS_SCHEMA.replace('.', '/')}"
    for name, value in make_settings(home, catalog_url, warehouse=warehouse).environment().items():
        monkeypatch.setenv(name, value)

    def execute(job: str, **config: object) -> dict[str, Any]:
        with DagsterInstance.ephemeral() as instance:
            result = definitions.resolve_job_def(job).execute_in_process(
                run_config={"ops": {job: {"config": config}}}, instance=instance, raise_on_error=False
            )
            return _document(result)

    return execute


def test_a_mapping_lives_through_jobs_from_the_first_version_to_its_end(run: Run) -> None:
    assert "There are none yet." in run("list_mappings")[PAGE]
    assert run("create_mapping", mapping=AIRLINES)["version"] == 1
    updated = run("update_mapping", mapping=WITH_NAMES, change_description="names for people")
    assert updated["version"] == 2
    (listed,) = run("list_mappings")["mappings"]
    assert (listed["name"], listed["version"], listed["owner"]) == ("airlines", 2, "tester")
    shown = run("show_mapping", mapping="airlines@1")
    assert (2, "tester", "names for people") in [
        (each["version"], each["created_by"], each["change_description"]) for each in shown["versions"]
    ]
    file = shown.pop(PAGE).removesuffix("\n```").partition("as its file:\n")[2]
    Draft202012Validator(json_schema("mapping_details")).validate(shown)
    assert read_mapping(file).model_dump(mode="json", exclude_defaults=True) == AIRLINES
    assert run("diff_mapping", mapping="airlines")["holds"] is True
    assert run("delete_mapping", mapping="airlines")["status"] == "deleted"
    assert run("list_mappings")["mappings"] == []
    assert run("show_mapping", mapping="airlines")[ERROR]["code"] == "RESOURCE_NOT_FOUND"


def test_what_is_wrong_is_kept_nowhere_neither_new_nor_as_a_version(run: Run) -> None:
    refused = run("create_mapping", mapping=WRONG)[ERROR]
    assert refused["code"] == "VALIDATION_FAILED"
    assert refused["details"]["report"]["errors"][0]["code"] == "TABLE_NOT_FOUND"
    assert run("list_mappings")["mappings"] == []
    run("create_mapping", mapping=AIRLINES)
    assert run("update_mapping", mapping=WRONG, change_description="")[ERROR]["code"] == "VALIDATION_FAILED"
    assert run("show_mapping", mapping="airlines")["version"] == 1


def test_a_nul_character_is_a_problem_of_the_input(run: Run) -> None:
    for mapping in (
        {**AIRLINES, "name": "air\0lines"},
        {**AIRLINES, "description": "a\0b"},
        _airlines("SELECT carrier, 'a\0b' AS name FROM airlines", "name"),
    ):
        refused = run("create_mapping", mapping=mapping)[ERROR]
        assert refused["code"] == "VALIDATION_FAILED"
        assert "NUL" in refused["message"] or "control character" in refused["message"]
    assert run("create_snapshot", mapping="airlines\0x")[ERROR]["code"] == "VALIDATION_FAILED"
    assert run("delete_mapping", mapping="airlines\0x")[ERROR]["code"] == "VALIDATION_FAILED"


def test_a_config_that_is_no_mapping_is_a_report_as_for_a_file(run: Run) -> None:
    for mapping, word in (
        ({**AIRLINES, "name": "air\ud800lines"}, "surrogate"),
        (_airlines("SELECT carrier FROM airlines -- \udfff"), "surrogate"),
        (_airlines("-- " + "x" * 1_100_000), "1,048,576"),
    ):
        for job in ("validate_mapping", "create_mapping"):
            refused = run(job, mapping=mapping)[ERROR]
            assert refused["code"] == "VALIDATION_FAILED"
            assert word in refused["details"]["report"]["errors"][0]["message"]
