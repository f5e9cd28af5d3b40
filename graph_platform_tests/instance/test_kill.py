"""Kill -9 of the whole process group while it launches, suspends, resumes or terminates, and SIGSTOP of it: the next
operation goes on with it at once, and at the end there is one server or none, as the row says.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest

from graph_platform.catalog.records import InstanceRecord
from graph_platform.failpoints import Failpoint
from graph_platform.instance.requests import (
    LaunchInstance,
    QueryInstance,
    ResumeInstance,
    SuspendInstance,
    TerminateInstance,
)
from graph_platform.snapshot.requests import CreateSnapshot
from graph_platform_tests.catalog.rows import pass_time
from graph_platform_tests.instance.agreement import agreed, rows
from graph_platform_tests.killing import Killing
from graph_platform_tests.server_processes import server_processes
from graph_platform_tests.waiting import until
from graph_platform_tests.worlds import BY, Recorder

RANDOM_KILLS = 16
FOUND, INSERTED, RESUMING = Failpoint.INSTANCE_FOUND, Failpoint.INSTANCE_INSERTED, Failpoint.INSTANCE_RESUMING
STARTED, ANSWERED = Failpoint.INSTANCE_STARTED, Failpoint.INSTANCE_ANSWERED
STOPPING, STOPPED = Failpoint.INSTANCE_STOPPING, Failpoint.INSTANCE_STOPPED

# Who is killed where, what its row says then, who comes next, and what the instance is at the end.
KILLED: list[tuple[str, Failpoint, str, str, str]] = [
    ("launch", INSERTED, "starting", "launch", "running"),
    ("launch", INSERTED, "starting", "terminate", "terminated"),
    ("launch", STARTED, "starting", "launch", "running"),
    ("launch", STARTED, "starting", "resume", "running"),
    ("launch", ANSWERED, "starting", "launch", "running"),
    ("launch", ANSWERED, "starting", "terminate", "terminated"),
    ("suspend", FOUND, "running", "suspend", "suspended"),
    ("suspend", STOPPING, "suspending", "suspend", "suspended"),
    ("suspend", STOPPING, "suspending", "launch", "running"),
    ("suspend", STOPPED, "suspending", "resume", "running"),
    ("suspend", STOPPED, "suspending", "terminate", "terminated"),
    ("resume", FOUND, "suspended", "resume", "running"),
    ("resume", RESUMING, "resuming", "resume", "running"),
    ("resume", RESUMING, "resuming", "terminate", "terminated"),
    ("resume", STARTED, "resuming", "launch", "running"),
    ("resume", ANSWERED, "resuming", "resume", "running"),
    ("terminate", FOUND, "running", "suspend", "suspended"),
    ("terminate", STOPPING, "stopping", "terminate", "terminated"),
    ("terminate", STOPPED, "stopping", "terminate", "terminated"),
]
# What can be done to an instance of a name that is at rest.
POSSIBLE = {
    "": ("launch",),
    "running": ("suspend", "suspend", "terminate"),
    "suspended": ("launch", "resume", "terminate"),
}
ATTEMPTS = {"starting": 1, "running": 1, "suspending": 1, "stopping": 1, "suspended": 1, "resuming": 2}


class Operators(Killing):
    """Processes that operate on instances of the one snapshot, beside a platform that nobody kills."""

    def act(self, act: str, reference: str, report: Recorder | None = None) -> InstanceRecord:
        """One operation of the platform that nobody kills."""
        report, of = report or Recorder(), self.platform.instances
        if act == "launch":
            return of.launch(LaunchInstance(snapshot="people", name=reference), BY, report)
        if act == "suspend":
            return of.suspend(SuspendInstance(instance=reference), BY, report)
        if act == "resume":
            return of.resume(ResumeInstance(instance=reference), BY, report)
        return of.terminate(TerminateInstance(instance=reference), BY, report)

    def prepare(self, act: str) -> str:
        """The name of a new instance that is as `act` wants it; none yet for a launch."""
        name = f"i-{os.urandom(4).hex()}"
        if act != "launch":
            self.act("launch", name)
        if act == "resume":
            self.act("suspend", name)
        return name

    def overslept(self) -> None:
        """Let the time of every lease pass."""
        pass_time(self.platform.catalog, self.settings.lease_seconds + 1)


@pytest.fixture(scope="module")
def operators(tmp_path_factory: pytest.TempPathFactory, module_catalog_url: str) -> Iterator[Operators]:
    made = Operators(tmp_path_factory.mktemp("home of the killed"), module_catalog_url)
    made.platform.snapshots.create(CreateSnapshot(mapping="people", name="s"), BY, Recorder())
    yield made
    for left in rows(made.platform):
        made.act("terminate", left.id)
    assert server_processes(made.settings.home) == {}
    made.close()


@pytest.mark.parametrize(("act", "point", "left", "following", "end"), KILLED)
def test_killed_at_a_named_point_it_is_gone_on_with_at_once_and_what_runs_is_what_the_row_says(
    operators: Operators, act: str, point: Failpoint, left: str, following: str, end: str
) -> None:
    name = operators.prepare(act)
    assert operators.order(act, name, failpoint=point.value)["status"] == -9, f"the code never passes {point}"
    (row,) = rows(operators.platform, name)
    assert (row.status, row.attempt) == (left, ATTEMPTS[left])
    assert row.abandoned == (left in ("starting", "resuming"))
    report = Recorder()
    done = operators.act(following, name if following == "launch" else row.id, report)
    assert not any("waiting for it" in line for line in report.lines)
    assert (done.id, done.status) == (row.id, end)
    if row.abandoned and end == "running":
        assert done.attempt == row.attempt + 1
    assert agreed(operators.platform, row.id) == {row.id: end}
    operators.act("terminate", row.id)


def test_killed_after_it_wrote_that_a_server_died_the_next_launch_leaves_nothing_of_that(operators: Operators) -> None:
    lost = operators.act("launch", "mortal")
    (server,) = server_processes(operators.settings.home)[lost.id]
    server.kill()
    until(lambda: operators.platform.instances.look(lost.id)[0].status == "failed", "the end is not seen")
    assert operators.order("launch", "mortal", failpoint=Failpoint.INSTANCE_FAILED.value)["status"] == -9
    successor = operators.act("launch", "mortal")
    operators.act("terminate", lost.id)
    assert agreed(operators.platform, lost.id, successor.id) == {lost.id: "terminated", successor.id: "running"}
    operators.act("terminate", successor.id)


def test_killed_at_random_times_and_gone_on_with_at_random_what_runs_is_what_the_rows_say(
    operators: Operators, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = random.randrange(2**32)
    generator, acts = random.Random(seed), ("launch", "suspend", "resume", "terminate")
    for _ in range(2):  # the first is slower: it imports what the others are forked with
        seconds = {act: operators.order(act, "measure")["seconds"] for act in acts}
    ids: set[str] = set()
    unfinished = killed = number = 0
    # As many more as it takes: how long an act is depends on what else the machine does.
    while number < RANDOM_KILLS or (killed < RANDOM_KILLS * 0.3 and number < 10 * RANDOM_KILLS):
        number += 1
        name = f"r{number % 3}"
        at_rest = next((row.status for row in rows(operators.platform, name)), "")
        act = generator.choice(POSSIBLE[at_rest])
        ended = operators.order(act, name, kill_after=generator.uniform(0, seconds[act]))
        killed += ended["status"] == -9
        if ended["status"] == 0:
            seconds[act] = min(seconds[act], ended["seconds"])
        unfinished += any(row.status not in ("running", "suspended", "failed") for row in rows(operators.platform))
        assert operators.order(generator.choice(acts), name)["status"] in (0, 1), f"seed {seed}, number {number}"
        for row in rows(operators.platform):
            ids.add(row.id)
            if row.status in ("starting", "resuming", "suspending"):
                operators.act("resume", row.id)
            elif row.status in ("stopping", "failed"):
                operators.act("terminate", row.id)
        try:
            agreed(operators.platform, *ids)
        except (AssertionError, KeyError) as error:
            raise AssertionError(f"seed {seed}, number {number}: {act} of {name}") from error
    with capsys.disabled():
        print(f"\n{killed} kills at random times (seed {seed}): {unfinished} left something half done")
    assert killed >= RANDOM_KILLS * 0.3, "too few runs were really killed"


@pytest.mark.parametrize(
    ("act", "point"),
    [
        *(("launch", point) for point in (INSERTED, STARTED, ANSWERED)),
        *(("resume", point) for point in (RESUMING, STARTED, ANSWERED)),
    ],
)
def test_a_start_that_slept_past_its_lease_is_taken_over_and_finds_what_it_wanted_when_it_wakes(
    operators: Operators, act: str, point: Failpoint
) -> None:
    name = operators.prepare(act)
    asleep = operators.order(act, name, stop_at=point.value)
    assert asleep["stopped"]
    (row,) = rows(operators.platform, name)
    assert not row.abandoned
    operators.overslept()
    (row,) = rows(operators.platform, name)
    assert row.abandoned
    taken = operators.act(act, name)
    assert (taken.id, taken.status, taken.attempt) == (row.id, "running", row.attempt + 1)
    assert operators.order("continue", pid=asleep["pid"])["status"] == 0
    assert agreed(operators.platform, row.id) == {row.id: "running"}
    assert rows(operators.platform, name) == [taken]
    operators.act("terminate", row.id)


@pytest.mark.parametrize(
    ("act", "point"), [*(("launch", point) for point in (INSERTED, STARTED, ANSWERED)), ("resume", RESUMING)]
)
def test_a_start_that_was_stopped_while_it_was_terminated_revives_nothing(
    operators: Operators, act: str, point: Failpoint
) -> None:
    name = operators.prepare(act)
    asleep = operators.order(act, name, stop_at=point.value)
    assert asleep["stopped"]
    ended = operators.act("terminate", name)
    assert ended.status == "terminated"
    assert operators.order("continue", pid=asleep["pid"])["status"] == 1
    assert agreed(operators.platform, ended.id) == {ended.id: "terminated"}
    assert operators.act("terminate", ended.id) == ended
    assert rows(operators.platform, name) == []


@pytest.mark.parametrize("point", [STOPPING, STOPPED])
def test_a_suspension_that_was_stopped_ends_no_server_that_was_resumed_meanwhile(
    operators: Operators, point: Failpoint
) -> None:
    name = operators.prepare("suspend")
    asleep = operators.order("suspend", name, stop_at=point.value)
    assert asleep["stopped"]
    resumed = operators.act("resume", name)
    assert (resumed.status, resumed.attempt) == ("running", 2)
    assert operators.order("continue", pid=asleep["pid"])["status"] == 0
    answer = operators.platform.instances.query(QueryInstance(instance=name, cypher="MATCH (c:City) RETURN count(c)"))
    assert answer["rows"] == [[20]]
    assert agreed(operators.platform, resumed.id) == {resumed.id: "running"}
    operators.act("terminate", resumed.id)
