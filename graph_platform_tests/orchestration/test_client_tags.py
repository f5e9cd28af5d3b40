"""What the cluster's own pages show beside each query of a Dagster run: the mapping, the snapshot and the run."""

from __future__ import annotations

import secrets
from pathlib import Path

import httpx
import pytest
from dagster import DagsterInstance, ExecuteInProcessResult

from graph_platform.definitions import definitions
from graph_platform.settings import PREFIX, Settings
from graph_platform_tests.services.trino import TrinoServer
from graph_platform_tests.snapshot.test_trino import trino_settings


def execute(instance: DagsterInstance, job: str, **config: object) -> ExecuteInProcessResult:
    return definitions.resolve_job_def(job).execute_in_process(
        run_config={"ops": {job: {"config": config}}}, instance=instance
    )


def tags_of_queries(server: TrinoServer, marked: str, run: str) -> dict[str, list[list[str]]]:
    """The tags of the queries of a run that have a word in their text, by what kind of statement they are."""
    found: dict[str, list[list[str]]] = {}
    rows = server.run(
        f"SELECT query_id, substr(query, 1, 12) FROM system.runtime.queries WHERE query LIKE '%{marked}%' "
        "AND source = 'graph-platform' ORDER BY query_id"
    )
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", headers={"X-Trino-User": "tester"}) as client:
        for identifier, text in rows:
            tags = client.get(f"/v1/query/{identifier}").json()["session"]["clientTags"]
            if f"run={run}" in tags:
                found.setdefault("export" if text == "CREATE TABLE" else "question", []).append(tags)
    return found


def test_each_query_carries_its_mapping_its_snapshot_and_its_run(
    home: Path, catalog_url: str, trino_server: TrinoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: Settings = trino_settings(home, catalog_url, trino_server)
    for name, value in settings.environment().items():
        assert name.startswith(PREFIX)
        monkeypatch.setenv(name, value)
    marked = f"marked{secrets.token_hex(4)}"
    mapping = {
        "name": "told",
        "node_definitions": [
            {
                "label": "Nation",
                "sql": f"SELECT nationkey, name FROM tpch.tiny.nation WHERE name <> '{marked}'",
                "primary_key": {"name": "nationkey", "type": "INT64"},
                "properties": [{"name": "name", "type": "STRING"}],
            }
        ],
    }
    with DagsterInstance.ephemeral() as instance:
        created = execute(instance, "create_mapping", mapping=mapping, data_checks="enforced")
        frozen = execute(instance, "create_snapshot", mapping="told")
        snapshot = instance.get_run_by_id(frozen.run_id).tags["snapshot"]  # type: ignore[union-attr]

    validation = tags_of_queries(trino_server, marked, created.run_id)
    assert len(validation["question"]) >= 2, "a description and a data check"
    assert all(sorted(tags) == ["mapping=told", f"run={created.run_id}"] for tags in validation["question"])
    snapshots = tags_of_queries(trino_server, marked, frozen.run_id)
    assert snapshots["question"], "the mapping is proved once more"
    assert all("mapping=told" in tags for tags in snapshots["question"])
    (export,) = snapshots["export"]
    assert {"mapping=told", f"snapshot={snapshot}", f"run={frozen.run_id}"} < set(export)
    (attempt,) = set(export) - {"mapping=told", f"snapshot={snapshot}", f"run={frozen.run_id}"}
    assert attempt.endswith("-1"), "which export it is, and its attempt"
