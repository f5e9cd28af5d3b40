"""What Dagster loads: the table of contents. It must stay as cheap to load as Dagster itself."""

from dagster import Definitions, in_process_executor

from graph_platform.orchestration import instance, mapping, snapshot
from graph_platform.orchestration.assets import declared_assets
from graph_platform.orchestration.resources import (
    CatalogResource,
    PlatformResource,
    RuntimeResource,
    WarehouseResource,
)
from graph_platform.settings import Settings

definitions = Definitions(
    assets=[*declared_assets(Settings.load())],
    jobs=[*mapping.jobs, *snapshot.jobs, *instance.jobs],
    schedules=mapping.schedules,
    resources={
        "platform": PlatformResource(),
        "catalog": CatalogResource(),
        "warehouse": WarehouseResource(),
        "runtime": RuntimeResource(),
    },
    executor=in_process_executor,
)
