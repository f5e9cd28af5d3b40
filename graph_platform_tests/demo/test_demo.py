"""The demo, as a newcomer runs it: three jobs, three answers, and nothing twice."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from graph_platform_tests.cli.conftest import CommandLine


def test_the_demo_answers_three_questions_and_a_second_run_makes_nothing_new(tmp_path: Path) -> None:
    cli = CommandLine(tmp_path)
    try:
        first = cli.json("demo")
        assert (first["snapshot"]["status"], first["instance"]["status"]) == ("ready", "running")
        assert first["snapshot"]["rows"] == 375_708
        best = first["answers"][0]["rows"][0]
        assert (best[0], best[2]) == ("ATL", 16_873)
        assert [len(answer["rows"]) for answer in first["answers"]] == [5, 5, 5]
        second = cli.json("demo")
        for made in ("mapping", "snapshot", "instance"):
            assert second[made]["id"] == first[made]["id"]
        assert [answer["rows"] for answer in second["answers"]] == [answer["rows"] for answer in first["answers"]]
        cli.json("down")
        third = cli.run("demo")
        assert third.status == 0, third.err
        assert "instance terminate flights" in third.out
        assert "16873" in third.out
    finally:
        assert cli.json("down")["status"] == "down"


def test_two_demos_at_once_both_end_well_and_one_waits_for_the_other(tmp_path: Path) -> None:
    cli = CommandLine(tmp_path)
    # The one that is stopped while it loads: then the other one surely comes in between.
    first = subprocess.Popen(
        [sys.executable, "-m", "graph_platform_tests.cli.stopped", "graph_platform.demo.data:_load", "demo"],
        env=cli.variables(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        os.waitpid(first.pid, os.WUNTRACED)
        second = subprocess.Popen(
            [sys.executable, "-m", "graph_platform", "demo"],
            env=cli.variables(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert second.stderr is not None
        word = second.stderr.readline()
        os.killpg(first.pid, signal.SIGCONT)
        outs = [process.communicate(timeout=300)[0] for process in (first, second)]
        assert f"waiting for process {first.pid}, which is loading the demo's tables" in word
        assert [first.returncode, second.returncode] == [0, 0], outs
        assert all("16873" in out for out in outs)
        assert len(cli.json("snapshot", "list")) == len(cli.json("instance", "list")) == 1
    finally:
        assert cli.json("down")["status"] == "down"
