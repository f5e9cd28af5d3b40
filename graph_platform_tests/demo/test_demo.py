"""The demo, as a newcomer runs it: three jobs, three answers, and nothing twice."""

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
