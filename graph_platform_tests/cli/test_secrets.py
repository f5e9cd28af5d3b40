"""A secret in a setting that is wrong shows nowhere: not in the error, nor in what prints the settings."""

from __future__ import annotations

import pytest

from graph_platform.errors import PlatformError
from graph_platform.instance.connect import open_runtime
from graph_platform.settings import Settings, masked, redacted
from graph_platform.storage.connect import open_storage
from graph_platform.warehouse.connect import open_warehouse
from graph_platform_tests.cli.conftest import CommandLine

HIDDEN = "HUNTER2"
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
    settings = Settings.load({"GRAPH_PLATFORM_RUNTIME": url})
    with pytest.raises(PlatformError, match="no runtime for") as refused:
        open_runtime(settings, "here")
    assert HIDDEN not in str(refused.value)
    assert HIDDEN not in redacted(settings, "runtime")


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
    settings = Settings.load({"GRAPH_PLATFORM_WAREHOUSE": url})
    with pytest.raises(PlatformError) as refused:
        open_warehouse(settings)
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
