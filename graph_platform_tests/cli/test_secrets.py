"""A secret in a setting that is wrong shows nowhere: not in the error, nor in what prints the settings."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph_platform.errors import PlatformError
from graph_platform.redaction import concealed, masked, secrets_in
from graph_platform.runtime.connect import open_runtime
from graph_platform.settings import Settings, known_secrets, redacted
from graph_platform.storage.connect import open_storage
from graph_platform.warehouse.connect import open_warehouse
from graph_platform_tests.cli.conftest import CommandLine

HIDDEN = "HUNTER2"

# What somebody may give for a URL, the secret at each place where a secret can stand: {} is the scheme and its slashes.
MALFORMED = [
    "{}u:HUNTER2",
    "{}u:HUNTER2/x",
    "{}u:HUNTER2@h/x",
    "{}u:HUNTER2@h:port/x",
    "{}u@h:HUNTER2/x",
    "{}u:a@HUNTER2@h/x",
    "{}u@HUNTER2@h/x",
    "{}u/HUNTER2@h/x",
    "{}u:1/HUNTER2@h:1/x",
    "{}u:a?HUNTER2@h/x",
    "{}u:a#HUNTER2@h/x",
    "{}u:a:HUNTER2",
    "{}u: HUNTER2@h/x",
    "{}u:HUNTER2%4@h/x",
    "{}u%3AHUNTER2%40h/x",
    "{}u%3AHUNTER2@h/x",
    "{}:HUNTER2@/x",
    "{}u:HUNTER2@[::1/x",
    "{}[HUNTER2",
    "{}u@h/x?password=HUNTER2@h",
    "u:HUNTER2@h/x",
    "u:HUNTER2",
    "HUNTER2",
    "host=h password=HUNTER2",
    "host=h password = 'a \\' HUNTER2' dbname=x",
    "host=h password=a HUNTER2 dbname=x",
    "host=h passfile=/x/HUNTER2",
]
# In these the rest is well formed.
IN_THE_QUERY = [
    "{}u@h/x?password=HUNTER2",
    "{}u@h/x?ok=1;password=HUNTER2",
    "{}u@h/x?p%61ssword=HUNTER2&ok=1",
    "{}u@h/x?ok=1&HUNTER2",
    "{}u@h/x?options=-c%20password%3DHUNTER2",
    "{}u@h/x?access_token=a&b#HUNTER2",
    "{}u@h/x#HUNTER2",
]
SCHEMES = {
    "catalog": "postgresql+psycopg://",
    "dagster_storage": "postgresql://",
    "warehouse": "trino://",
    "storage": "s3://",
    "export_location": "s3://",
    "runtime": "kubernetes://",
    "dagster_url": "https://",
}
BAD_CATALOGS = [
    "host=127.0.0.1 port=9 password=HUNTER2 dbname=x",
    "host=127.0.0.1 password='a HUNTER2' dbname=x",
    "postgresql+psycopg://bob:HUNTER2%zz@127.0.0.1:9/db",
    "postgresql+psycopg://bob:x HUNTER2@127.0.0.1:9/db",
    "postgresql+psycopg://bob:x/HUNTER2@127.0.0.1:9/db",
    "postgresql+psycopg://bob:1#HUNTER2@127.0.0.1:9/db",
    "postgresql+psycopg://bob:x@HUNTER2@127.0.0.1:9/db",
    "postgresql+psycopg://bob:HUNTER2@127.0.0.1:xx/db",
    "postgresql+psycopg://bob:HUNTER2@[::1/db",
    "postgresql+psycopg://bob:HUNTER2@127.0.0.1:9/db?nonsense=1",
    "mysql://bob:HUNTER2@127.0.0.1/db",
    "bob:HUNTER2@127.0.0.1/db",
]
UNREACHABLE_CATALOGS = [
    "postgresql+psycopg://bob:HUNTER2@127.0.0.1:9/db",
    "postgresql+psycopg://bob@127.0.0.1:9/db?password=HUNTER2",
    "postgresql+psycopg://bob@127.0.0.1:9/db?sslpassword=HUNTER2",
]
COMMANDS = [("mapping", "list"), ("env",), ("doctor",), ("settings",)]


@pytest.mark.parametrize("form", [*MALFORMED, *IN_THE_QUERY])
def test_a_secret_at_any_place_of_any_url_is_hidden_and_known(form: str) -> None:
    for setting, scheme in SCHEMES.items():
        url = form.format(scheme)
        variables = {f"GRAPH_PLATFORM_{setting.upper()}": url}
        assert HIDDEN not in redacted(Settings.load(variables), setting)
        assert HIDDEN not in repr(Settings.load(variables))
        # A library may repeat all of it, or the piece that it stumbled over.
        for said in (url, f"cannot read {url!r}", f"Port could not be cast to integer value as '{HIDDEN}'"):
            assert HIDDEN not in str(concealed({"message": [said]}, known_secrets(variables)))


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@settings(max_examples=500, deadline=None)
@given(
    scheme=st.sampled_from([*SCHEMES.values(), "duckdb://", "file://", "x+y://", "gs:///"]),
    before=TEXT,
    after=TEXT,
    host=st.sampled_from(["@h", "@h:80/p", "@", "@[::1]:5/p?q=1", "@h1:1,h2:2/p", "@h/p#f"]),
)
def test_a_password_of_any_signs_is_hidden_between_a_user_and_a_host(
    scheme: str, before: str, after: str, host: str
) -> None:
    password = f"{before}{HIDDEN}{after}"
    for user in ("u", "", "some.body"):
        assert HIDDEN not in masked(f"{scheme}{user}:{password}{host}")
    quoted = f"{scheme}u:{quote(password, safe='')}{host}"
    assert HIDDEN not in masked(quoted)
    secrets = secrets_in(quoted)
    assert HIDDEN not in concealed(f"wrong password {password.strip()!r} of {quoted}", secrets)


@settings(max_examples=500, deadline=None)
@given(
    scheme=st.sampled_from([*SCHEMES.values(), "x+y://"]),
    # What reads as a port or as a host is taken for one: u:8080/HUNTER2 and u:a@HUNTER2 are whole URLs.
    before=TEXT.filter(lambda text: "@" not in text and not re.match(r"\d{0,5}([/?#,]|$)", text)),
    after=TEXT.filter(lambda text: "@" not in text),
)
def test_a_password_of_any_signs_is_hidden_where_the_host_was_left_out(scheme: str, before: str, after: str) -> None:
    assert HIDDEN not in masked(f"{scheme}u:{before}{HIDDEN}{after}")


@given(text=st.text())
def test_whatever_is_no_url_and_no_words_shows_nothing_but_what_may_be_its_scheme(text: str) -> None:
    if "=" not in text and "://" not in text:
        assert re.fullmatch(r"|embedded:|local:|([A-Za-z][A-Za-z0-9+.-]*:)?(\*\*\*)?", masked(text))


def test_a_short_secret_is_hidden_where_it_stands_alone_and_leaves_other_words_whole() -> None:
    assert concealed("the password 'db' of dbname db", {"db"}) == "the password '***' of dbname ***"
    assert concealed({"a": ("x=longer", 3, None), "longer": True}, {"longer"}) == {"a": ("x=***", 3, None), "***": True}


# Many commands in one process, since each process of its own would import Dagster anew.
SEVERAL = """
import json, os, sys
from graph_platform.cli.main import run
for variable, url, command in json.loads(sys.argv[1]):
    os.environ[variable] = url
    print("---", variable, *command, run(command), flush=True)
    del os.environ[variable]
"""


def test_nothing_that_is_printed_or_kept_has_the_secret_of_a_setting_that_is_wrong(tmp_path: Path) -> None:
    cli = CommandLine(tmp_path)
    suggest, there = ["mapping", "suggest"], ("u:HUNTER2@h/x", ["mapping", "suggest", "-o", "json"])
    wrong = [("u:HUNTER2", suggest), ("u%3AHUNTER2%40h/x", suggest), ("/u:HUNTER2@h/x", ["demo"])]
    asked = [
        (f"GRAPH_PLATFORM_{setting.upper()}", f"{scheme}{given}", command)
        for setting, scheme, given_to in [
            ("catalog", "postgresql+psycopg://", [*wrong, there]),
            ("dagster_storage", "postgresql://", wrong),  # Dagster tries a server that is not there for a while
            ("warehouse", "trino://", [*wrong, there]),
            ("warehouse", "duckdb://", [*wrong, there, ("u:HUNTER2@h/x", ["doctor"])]),
            ("storage", "s3://", [*wrong, there]),
            ("storage", "file://", [*wrong[:2], there]),  # the third is a folder that there could be
            ("runtime", "kubernetes://", [("u:HUNTER2", ["settings"]), wrong[-1]]),
            ("dagster_url", "https://", [there]),
        ]
        for given, command in given_to
    ]
    try:
        ran = subprocess.run(
            [sys.executable, "-c", SEVERAL, json.dumps(asked)],
            env=cli.variables(),
            check=False,
            capture_output=True,
            text=True,
        )
    finally:
        cli.run("down")
    said = ran.stdout + ran.stderr
    assert ran.stdout.count("--- GRAPH_PLATFORM_") == len(asked), said
    assert HIDDEN not in said
    assert [path for path in tmp_path.rglob("*") if path.is_file() and HIDDEN.encode() in path.read_bytes()] == []


@pytest.mark.parametrize("url", BAD_CATALOGS)
def test_a_catalog_url_that_cannot_be_read_is_refused_with_its_form_and_without_its_secret(
    cli: CommandLine, url: str
) -> None:
    for command in (("mapping", "list"), ("env",)):
        answer = cli.run(*command, "-o", "json", GRAPH_PLATFORM_CATALOG=url)
        assert answer.status == 1, answer
        assert answer.json()["code"] == "VALIDATION_FAILED"
        assert "GRAPH_PLATFORM_CATALOG" in answer.json()["message"]
        assert "postgresql+psycopg://user:password@host" in answer.json()["hint"]
        assert HIDDEN not in answer.out + answer.err
    assert HIDDEN not in repr(Settings.load({"GRAPH_PLATFORM_CATALOG": url}))


@pytest.mark.parametrize("url", [BAD_CATALOGS[0], BAD_CATALOGS[2], BAD_CATALOGS[7], *UNREACHABLE_CATALOGS[1:]])
def test_no_command_that_looks_at_the_settings_shows_the_secret(cli: CommandLine, url: str) -> None:
    for command in COMMANDS:
        answer = cli.run(*command, GRAPH_PLATFORM_CATALOG=url)
        assert HIDDEN not in answer.out + answer.err
        assert "defect" not in answer.err
        if command == ("doctor",) and url in BAD_CATALOGS:
            assert "GRAPH_PLATFORM_CATALOG=postgresql+psycopg://" in answer.out + answer.err


@pytest.mark.parametrize("url", UNREACHABLE_CATALOGS)
def test_a_catalog_that_does_not_answer_is_named_without_its_password(cli: CommandLine, url: str) -> None:
    answer = cli.run("mapping", "list", GRAPH_PLATFORM_CATALOG=url)
    assert answer.status == 3
    assert "127.0.0.1" in answer.err
    assert HIDDEN not in answer.out + answer.err


@pytest.mark.parametrize(
    "url",
    ["k8s://u:HUNTER2@h", "local://u:HUNTER2@y", "k8s:u:HUNTER2@h", "local:?token=HUNTER2", "host=h password=HUNTER2"],
)
def test_a_runtime_that_there_is_not_is_refused_without_its_secret(url: str) -> None:
    chosen = Settings.load({"GRAPH_PLATFORM_RUNTIME": url})
    with pytest.raises(PlatformError, match="no runtime for") as refused:
        open_runtime(chosen, "here")
    assert HIDDEN not in str(refused.value)
    assert HIDDEN not in redacted(chosen, "runtime")


@pytest.mark.parametrize(
    "url",
    [
        "k8s://u:HUNTER2@h",
        "host=h password=HUNTER2 dbname=x",
        "u:HUNTER2@h",
        "trino://u:HUNTER2@[h/c",
    ],
)
def test_a_warehouse_or_storage_that_there_is_not_is_refused_without_its_secret(url: str) -> None:
    chosen = Settings.load({"GRAPH_PLATFORM_WAREHOUSE": url})
    with pytest.raises(PlatformError) as refused:
        open_warehouse(chosen)
    assert HIDDEN not in str(refused.value)
    for storage in (url, f"file://{url}", f"s3://{url}", f"s3://u:{HIDDEN}@[b"):
        with pytest.raises(PlatformError) as refused:
            open_storage(storage)
        assert HIDDEN not in str(refused.value)
        assert HIDDEN not in redacted(Settings.load({"GRAPH_PLATFORM_STORAGE": storage}), "storage")


def test_a_dagster_that_does_not_answer_is_named_without_its_password(cli: CommandLine) -> None:
    answer = cli.run("mapping", "delete", "x", GRAPH_PLATFORM_DAGSTER_URL="http://u:HUNTER2@127.0.0.1:9")
    assert answer.status == 3
    assert "127.0.0.1:9" in answer.err
    assert HIDDEN not in answer.out + answer.err


@pytest.mark.parametrize(
    "url",
    [
        "trino://somebody@host:8443/hive/sales?session.x=y",
        "file:///var/lib/graph-platform",
        "s3://bucket/prefix",
        "postgresql+psycopg:///db?host=/run/postgres",
        "http://127.0.0.1:3000",
    ],
)
def test_a_url_without_a_secret_is_shown_as_it_is(url: str) -> None:
    assert masked(url) == url
