"""What waits for what in Dagster's queue: decided by Dagster's own daemon, on the platform's own configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster import DagsterInstance, DagsterRunStatus, JobDefinition
from dagster._core.instance import InstanceRef
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon

import graph_platform.orchestration
from graph_platform.instance.requests import LaunchInstance
from graph_platform.orchestration.tags import EXCLUDES_TAG, run_tags
from graph_platform_tests.orchestration.requests import JOBS, REQUESTS

_FILE = Path(graph_platform.orchestration.__file__).with_name("dagster.yaml")
_JOBS = {job.name: job for job in JOBS if isinstance(job, JobDefinition)}


@pytest.fixture(scope="module")
def configured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DAGSTER_HOME with our configuration, but with files as the storage and room for more than eight runs."""
    home = tmp_path_factory.mktemp("dagster")
    ours = yaml.safe_load(_FILE.read_text())
    ours["storage"] = {"sqlite": {"base_dir": str(home)}}
    assert ours["concurrency"]["runs"]["max_concurrent_runs"] == 8
    ours["concurrency"]["runs"]["max_concurrent_runs"] = 100
    (home / "dagster.yaml").write_text(yaml.safe_dump(ours))
    return home


@pytest.fixture
def instance(configured: Path) -> Iterator[DagsterInstance]:
    with DagsterInstance.from_ref(InstanceRef.from_dir(str(configured))) as opened:
        yield opened
        opened.wipe()


def _queue(instance: DagsterInstance, job: str, config: Mapping[str, Any]) -> str:
    """Queue a run as the command line launches it."""
    return _queue_with(instance, job, run_tags(REQUESTS[job].read(config), "ana"))


def _queue_with(instance: DagsterInstance, job: str, tags: Mapping[str, str]) -> str:
    where = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("graph_platform"), "__repository__")
    run = instance.create_run_for_job(
        _JOBS[job],
        status=DagsterRunStatus.QUEUED,
        tags=tags,
        remote_job_origin=RemoteJobOrigin(where, job),
    )
    return run.run_id


def _let_go(instance: DagsterInstance) -> set[str]:
    """The runs that Dagster's daemon would start now."""
    daemon = QueuedRunCoordinatorDaemon(interval_seconds=5)
    runs = daemon._get_runs_to_dequeue(instance, instance.get_concurrency_config(), fixed_iteration_time=None)
    return {run.run_id for run in runs}


def test_fifty_launches_of_one_snapshot_all_go_at_once(instance: DagsterInstance) -> None:
    queued = {_queue(instance, "launch_instance", {"snapshot": "flights"}) for _ in range(25)}
    queued |= {_queue(instance, "launch_instance", {"snapshot": "flights", "name": f"i{n}"}) for n in range(25)}
    assert _let_go(instance) == queued


NAMED = {"name": "flights", "node_definitions": []}
APART = {
    "suspends of one instance": [("suspend_instance", {"instance": "a"})] * 2,
    "a launch and a resume under one name": [
        ("launch_instance", {"snapshot": "s", "name": "a"}),
        ("resume_instance", {"instance": "a"}),
    ],
    "exports of one snapshot": [("create_snapshot", {"mapping": "flights@3", "name": "x"})] * 2,
    "snapshots of two mappings under one name": [
        ("create_snapshot", {"mapping": "flights", "name": "x"}),
        ("create_snapshot", {"mapping": "ships", "name": "x"}),
    ],
    "changes of one mapping": [("update_mapping", {"mapping": NAMED}), ("delete_mapping", {"mapping": "flights"})],
    "births of one mapping": [("create_mapping", {"mapping": NAMED})] * 2,
}


@pytest.mark.parametrize("runs", APART.values(), ids=APART.keys())
def test_of_two_that_would_only_wait_for_each_other_one_waits_in_the_queue(
    instance: DagsterInstance, runs: list[tuple[str, dict[str, Any]]]
) -> None:
    first, second = [_queue(instance, *run) for run in runs]
    assert _let_go(instance) == {first}
    assert second != first


TOGETHER = {
    "questions about a mapping that is being exported": [
        ("create_snapshot", {"mapping": "flights", "name": "x"}),
        ("diff_mapping", {"mapping": "flights"}),
        ("show_mapping", {"mapping": "flights"}),
        ("validate_mapping", {"mapping": NAMED}),
        ("list_mappings", {}),
        ("suggest_mapping", {}),
    ],
    "snapshots of one mapping": [
        ("create_snapshot", {"mapping": "flights", "name": "x"}),
        ("create_snapshot", {"mapping": "flights", "name": "y"}),
        ("create_snapshot", {"mapping": "flights@2", "name": "z"}),
        ("create_snapshot", {"mapping": "flights"}),
        ("create_snapshot", {"mapping": "flights"}),
    ],
    "an update while a snapshot is made": [
        ("create_snapshot", {"mapping": "flights", "name": "x"}),
        ("update_mapping", {"mapping": NAMED}),
    ],
    "an end, while a launch hangs": [
        ("launch_instance", {"snapshot": "s", "name": "a"}),
        ("terminate_instance", {"instance": "a"}),
        ("extend_instance", {"instance": "a", "duration": "PT1H", "reason": "r"}),
    ],
}


@pytest.mark.parametrize("runs", TOGETHER.values(), ids=TOGETHER.keys())
def test_what_can_go_side_by_side_does(instance: DagsterInstance, runs: list[tuple[str, dict[str, Any]]]) -> None:
    queued = {_queue(instance, *run) for run in runs}
    assert _let_go(instance) == queued


def test_a_run_from_the_launchpad_names_nothing_and_is_held_back_by_nothing(instance: DagsterInstance) -> None:
    runs = {_queue_with(instance, "suspend_instance", {}) for _ in range(2)}
    assert _let_go(instance) == runs


def test_only_the_tag_that_excludes_is_limited_and_no_run_is_about_it() -> None:
    limits = yaml.safe_load(_FILE.read_text())["concurrency"]["runs"]["tag_concurrency_limits"]
    assert [limit["key"] for limit in limits] == [EXCLUDES_TAG]
    tags = run_tags(LaunchInstance(snapshot="s", name="a"), "ana")
    assert (tags["snapshot"], tags["instance"], tags[EXCLUDES_TAG]) == ("s", "a", "instance:a")
