"""Whoever waits at a terminal is told for whom, whatever the command: a silent one looks like a broken one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg

from graph_platform.catalog.embedded import EmbeddedPostgres
from graph_platform_tests.cli.conftest import CommandLine

WAITING = (
    ("mapping", "list"),
    ("mapping", "show", "people"),
    ("mapping", "diff", "people"),
    ("snapshot", "list"),
    ("snapshot", "show", "people"),
    ("instance", "list"),
    ("instance", "show", "people"),
    ("instance", "query", "people", "RETURN 1"),
    ("catalog", "show"),
)


def test_every_command_that_waits_says_for_whom(cli: CommandLine) -> None:
    cli.json("up")
    url = EmbeddedPostgres(cli.home).url(scheme="postgresql")
    with (
        ThreadPoolExecutor(len(WAITING)) as pool,  # at once: each waits until its time is over
        psycopg.connect(url, application_name="somebody else") as holding,
    ):
        # What every transaction begins with, so nothing of what the commands ask for need be there.
        holding.execute("LOCK TABLE graph_platform.alembic_version")
        answers = list(pool.map(lambda command: cli.run(*command, GRAPH_PLATFORM_CATALOG_LOCK_SECONDS="10"), WAITING))
    for command, answer in zip(WAITING, answers, strict=True):
        assert answer.status == 1, command
        assert "waiting for somebody else (process" in answer.err, (command, answer.err)
