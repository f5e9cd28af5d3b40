"""What Dagster loads: the table of contents. It must stay as cheap to load as Dagster itself."""

from dagster import Definitions, in_process_executor

from graph_platform.orchestration.assets import declared_assets
from graph_platform.orchestration.jobs import jobs
from graph_platform.orchestration.resources import PlatformResource
from graph_platform.orchestration.schedules import schedules
from graph_platform.settings import Settings

definitions = Definitions(
    assets=[*declared_assets(Settings.load())],
    jobs=jobs,
    schedules=schedules,
    resources={"platform": PlatformResource()},
    executor=in_process_executor,
)
