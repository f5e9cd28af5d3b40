"""The command line's promises that need no job: help, exit statuses, one JSON document, errors that say what to do."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from graph_platform.cli import main
from graph_platform.cli.commands import COMMANDS
from graph_platform.cli.failures import wants_json
from graph_platform.cli.table import Noun
from graph_platform_tests.cli.conftest import CommandLine

EVERY_COMMAND = [
    [name, verb] if isinstance(entry, Noun) else [name]
    for name, entry in COMMANDS.items()
    for verb in (entry.verbs if isinstance(entry, Noun) else [""])
]


def test_help_imports_click_and_hardly_anything_else() -> None:
    program = (
        "import json, sys; from graph_platform.cli.main import run; status = run(['--help']);"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    finished = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    loaded = json.loads(finished.stderr)
    assert not {"rich", "dagster", "sqlalchemy", "pydantic", "yaml", "httpx", "duckdb"} & set(loaded)
    for name in COMMANDS:
        assert name in finished.stdout


def test_a_list_does_not_import_what_it_does_not_need(cli: CommandLine) -> None:
    program = (
        "import json, sys; from graph_platform.cli.main import run; status = run(['mapping', 'list', '-o', 'json']);"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    cli.json("up")
    finished = subprocess.run(
        [sys.executable, "-c", program], env=cli.variables(), check=True, capture_output=True, text=True
    )
    unwanted = {"dagster", "duckdb", "sqlglot", "httpx", "pyarrow", "alembic", "graph_platform.platform"}
    assert not unwanted & set(json.loads(finished.stderr))


@pytest.mark.parametrize("command", EVERY_COMMAND, ids=" ".join)
def test_every_command_explains_itself_and_has_json(command: list[str]) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "graph_platform", *filter(None, command), "--help"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "-o, --output [table|json" in finished.stdout


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["mapping", "nonsense"], ["mapping", "create"], ["mapping", "list", "--nonsense"], ["mapping"]],
    ids=" ".join,
)
def test_wrong_usage_is_status_2(cli: CommandLine, arguments: list[str]) -> None:
    answer = cli.run(*arguments)
    assert answer.status == 2
    assert "Traceback" not in answer.err


def test_wrong_usage_is_json_too_when_json_was_asked_for(cli: CommandLine) -> None:
    answer = cli.run("mapping", "create", "-o", "json")
    assert answer.status == 2
    assert answer.json()["message"] == "Missing argument 'FILE'."
    assert set(answer.json()) == {"code", "message", "hint", "details"}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["mapping", "list", "-o", "json"], True),
        (["mapping", "list", "-ojson"], True),
        (["mapping", "list", "--output", "json"], True),
        (["mapping", "list", "--output=json"], True),
        (["mapping", "list", "-o", "table"], False),
        (["instance", "query", "--", "-o", "json"], False),
        ([], False),
    ],
)
def test_json_is_recognised_however_it_is_written(arguments: list[str], expected: bool) -> None:
    assert wants_json(arguments) is expected


def test_no_wait_without_a_dagster_is_wrong_usage(cli: CommandLine) -> None:
    answer = cli.run("mapping", "delete", "x", "--no-wait", "-o", "json")
    assert answer.status == 2
    assert "GRAPH_PLATFORM_DAGSTER_URL" in answer.json()["message"]


@pytest.mark.parametrize(
    ("variables", "culprit"),
    [
        ({"GRAPH_PLATFORM_DAGSTER_URL": "http://127.0.0.1:9"}, "GRAPH_PLATFORM_DAGSTER_URL"),
        ({"GRAPH_PLATFORM_DAGSTER_URL": "nonsense"}, "GRAPH_PLATFORM_DAGSTER_URL"),
        ({"GRAPH_PLATFORM_CATALOG": "postgresql+psycopg://nobody:secret@127.0.0.1:9/x"}, "GRAPH_PLATFORM_CATALOG"),
    ],
)
def test_a_backend_that_does_not_answer_is_status_3_and_names_its_setting(
    cli: CommandLine, variables: dict[str, str], culprit: str
) -> None:
    answer = cli.run("mapping", "delete", "x", "-o", "json", **variables)
    assert answer.status == 3
    assert answer.json()["code"] == "BACKEND_UNREACHABLE"
    assert culprit in answer.json()["hint"]
    assert "secret" not in answer.out + answer.err


@pytest.mark.parametrize(
    ("arguments", "status", "word"),
    [
        (["RETURN $a", "-p", "a=1e999"], 1, "$a"),
        (["RETURN $a", "-p", 'a={"x": [1, NaN]}'], 1, "$a.x[1]"),
        (["RETURN $a", "-p", 'a={"x": 1, "x": 2}'], 1, "$a.x"),
        (["RETURN $a", "-p", "a=\udcff"], 1, "surrogate"),
        (["RETURN '\udcff'"], 1, "surrogate"),
        (["RETURN $a", "-p", "a=1", "-p", "$a=2"], 2, "twice"),
        (["RETURN 1", "--timeout", "inf"], 2, "inf"),
        (["RETURN 1", "--timeout", "nan"], 2, "nan"),
    ],
)
def test_a_question_that_cannot_be_sent_is_refused_by_name_and_no_server_is_blamed(
    arguments: list[str],
    status: int,
    word: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GRAPH_PLATFORM_HOME", str(tmp_path))
    assert main.run(["instance", "query", "nowhere", *arguments, "-o", "json"]) == status
    answer = json.loads(capsys.readouterr().out)
    assert answer["code"] == "VALIDATION_FAILED"
    assert word in answer["message"]


def test_a_file_that_is_no_mapping_is_a_short_report_whatever_is_in_it(cli: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_bytes(b"name: m\nnode_definitions:\n" + b"- {}\n" * 1200)
    report = cli.run("mapping", "validate", file, "-o", "json")
    assert report.status == 1
    assert (len(report.json()["errors"]), report.json()["more_errors"]) == (100, 3500)
    person = cli.run("mapping", "validate", file)
    assert "and 3,500 more errors" in person.out and "3,600 errors" in person.out
    for content, word in (
        (b'{"name": "\\ud800"}', "surrogate"),
        (b"#" * 3_000_000, "3,000,000 bytes, more than the 1,048,576"),
    ):
        file.write_bytes(content)
        found = cli.run("mapping", "create", file, "-o", "json")
        assert (found.status, found.json()["code"]) == (1, "VALIDATION_FAILED")
        (error,) = found.json()["details"]["report"]["errors"]
        assert word in f"{error['message']} {error['hint']}"
        assert error["position"] or "bytes" in error["message"]
    endless = cli.run("mapping", "validate", "/dev/zero", "-o", "json")
    assert "more than the 1,048,576 bytes" in endless.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    ("command", "given", "said"),
    [
        ("mapping validate -", "<&-", "is closed"),
        ("instance query people -", "<&-", "is closed"),
        ("instance query people -", "</dev/zero head -c 3 | tr '\\0' '\\377' |", "not UTF-8"),
    ],
)
def test_a_standard_input_without_text_is_wrong_usage_and_no_defect(
    cli: CommandLine, command: str, given: str, said: str
) -> None:
    before, after = (given, "") if given.endswith("|") else ("", given)
    shell = f"{before} {shlex.quote(sys.executable)} -m graph_platform {command} {after}"
    ran = subprocess.run(
        ["/bin/sh", "-c", shell], env=cli.variables(), cwd=cli.home, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2, ran.stderr
    assert said in ran.stderr


def test_what_is_not_there_is_status_1_with_a_hint(cli: CommandLine) -> None:
    answer = cli.run("mapping", "show", "nothing", "-o", "json")
    assert answer.status == 1
    assert answer.json()["code"] == "RESOURCE_NOT_FOUND"
    person = cli.run("mapping", "show", "nothing")
    assert (person.status, person.out) == (1, "")
    assert "there is no mapping 'nothing'" in person.err


def test_a_defect_is_one_line_and_its_traceback_is_in_a_file(cli: CommandLine) -> None:
    program = (
        "import sys; from graph_platform.cli import main; from graph_platform.cli.machine import environment\n"
        "environment.prepare = lambda _: 1 / 0\n"
        "sys.exit(main.run(['env', '-o', 'json']))"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program], env=cli.variables(), check=False, capture_output=True, text=True
    )
    document = json.loads(finished.stdout)
    assert (finished.returncode, document["code"], finished.stderr) == (1, "INTERNAL_ERROR", "")
    assert "ZeroDivisionError" in Path(document["details"]["log"]).read_text(encoding="utf-8")


def test_settings_tell_their_source_and_hide_passwords(cli: CommandLine) -> None:
    listed = cli.json("settings", GRAPH_PLATFORM_CATALOG="postgresql+psycopg://me:secret@host/db")
    found = {setting["name"]: setting for setting in listed}
    assert found["catalog"] | {"help": ""} == {
        "name": "catalog",
        "variable": "GRAPH_PLATFORM_CATALOG",
        "value": "postgresql+psycopg://me:***@host/db",
        "source": "environment",
        "help": "",
    }
    assert found["query_rows"]["source"] == "default"
    assert "secret" not in cli.run("settings", GRAPH_PLATFORM_CATALOG="postgresql+psycopg://me:secret@host/db").out


def test_a_setting_of_the_wrong_kind_is_named(cli: CommandLine) -> None:
    answer = cli.run("mapping", "list", GRAPH_PLATFORM_QUERY_ROWS="many")
    assert answer.status == 1
    assert "GRAPH_PLATFORM_QUERY_ROWS is 'many', which is not a whole number" in answer.err


def test_env_prints_what_a_shell_and_plain_dagster_understand(cli: CommandLine) -> None:
    exported = cli.run("env").out
    names = dict(shlex.split(line)[1].split("=", 1) for line in exported.splitlines())
    assert names == cli.json("env")
    assert Path(names["DAGSTER_HOME"], "dagster.yaml").exists()
    listed = subprocess.run(
        ["/bin/sh", "-c", f'{exported}\nexec "$0" -m dagster run list', sys.executable],
        env={"PATH": os.environ["PATH"]},
        check=False,
        capture_output=True,
        text=True,
    )
    assert listed.returncode == 0, listed.stderr


def test_a_reader_that_goes_away_is_no_error(cli: CommandLine) -> None:
    piped = subprocess.run(
        ["/bin/sh", "-c", '"$0" -m graph_platform mapping schema | head -1', sys.executable],
        env=cli.variables(),
        check=False,
        capture_output=True,
        text=True,
    )
    assert (piped.stdout, piped.stderr) == ("{\n", "")
