"""The adapters as resources of ops that users write themselves."""

from pathlib import Path

import duckdb
import pytest
from dagster import Definitions, OpExecutionContext, in_process_executor, job, op

from graph_platform.catalog import mappings
from graph_platform.orchestration.resources import CatalogResource, RuntimeResource, WarehouseResource


@op
def counted(
    context: OpExecutionContext, catalog: CatalogResource, warehouse: WarehouseResource, runtime: RuntimeResource
) -> list[int]:
    with catalog.open(context.run_id) as opened, opened.transaction() as session:
        kept = len(mappings.list_mappings(session))
    with warehouse.open(context.run_id) as asked:
        ((rows,),) = asked.fetch("SELECT count(*) FROM cities", 1, 30)
    with runtime.open(context.run_id) as place:
        return [kept, rows, len(place.servers.list())]


@job(executor_def=in_process_executor)
def mine() -> None:
    counted()


def test_an_op_of_ones_own_reaches_catalog_warehouse_and_runtime(
    home: Path, catalog_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with duckdb.connect(home / "mine.duckdb") as connection:
        connection.execute("CREATE TABLE cities AS SELECT range AS id FROM range(7)")
    for name, value in {
        "HOME": str(home),
        "CATALOG": catalog_url,
        "WAREHOUSE": f"duckdb:///{home / 'mine.duckdb'}",
    }.items():
        monkeypatch.setenv(f"GRAPH_PLATFORM_{name}", value)
    resources = {"catalog": CatalogResource(), "warehouse": WarehouseResource(), "runtime": RuntimeResource()}
    result = Definitions(jobs=[mine], resources=resources).get_job_def("mine").execute_in_process()
    assert result.output_for_node("counted") == [0, 7, 0]
