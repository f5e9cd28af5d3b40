"""What runs by the clock. A schedule only launches a job with its default config; the rules are the job's."""

from dagster import DefaultScheduleStatus, ScheduleDefinition

from graph_platform.orchestration.jobs import jobs

_JOBS = {job.name: job for job in jobs}

schedules = [
    ScheduleDefinition(
        name="refresh_schema_cache_daily",
        job=_JOBS["refresh_schema_cache"],
        cron_schedule="17 4 * * *",  # not on the hour, when everybody's jobs begin
        # Off until somebody turns it on: without it the tables are asked for when they are needed and the cache is too
        # old, and a home that has no warehouse yet would have a failed run each day.
        default_status=DefaultScheduleStatus.STOPPED,
        description=(
            "Asks the warehouse for its tables and columns each day, UTC, so that suggestions and nearest names need "
            "not wait for them. It pays where GRAPH_PLATFORM_SCHEMA_CACHE_SECONDS is longer than a day."
        ),
    ),
]
