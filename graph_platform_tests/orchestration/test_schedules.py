"""What runs by the clock: off by default, launched with a config that works."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from dagster import DagsterInstance, DefaultScheduleStatus, build_schedule_context

from graph_platform.definitions import definitions
from graph_platform.proving.schema_cache import SchemaCache
from graph_platform_tests.worlds import make_settings


def test_the_schema_cache_is_refreshed_daily_once_somebody_turns_it_on(
    home: Path, catalog_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(home, catalog_url)
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    schedule = definitions.resolve_schedule_def("refresh_schema_cache_daily")
    assert schedule.default_status is DefaultScheduleStatus.STOPPED
    assert schedule.cron_schedule == "17 4 * * *"
    with DagsterInstance.ephemeral() as instance:
        tick = schedule.evaluate_tick(
            build_schedule_context(instance, scheduled_execution_time=datetime(2026, 1, 1, 4, 17, tzinfo=UTC))
        )
        (request,) = tick.run_requests or ()
        assert SchemaCache.of(settings).known() is None
        job = definitions.resolve_job_def(schedule.job_name)
        assert job.execute_in_process(run_config=request.run_config, instance=instance).success
    kept = SchemaCache.of(settings).known()
    assert kept is not None
    assert [relation.name for relation in kept] == ["city", "knows", "lives", "person"]
