"""One rule for every name that a user gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from graph_platform.catalog.ids import new_id
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.instance.requests import LaunchInstance
from graph_platform.names import MAX_NAME, RULE, name_fault, nearest_name
from graph_platform.platform import Platform
from graph_platform.proving.requests import CreateMapping, SuggestMapping
from graph_platform.snapshot.requests import CreateSnapshot
from graph_platform_tests.worlds import BY, Recorder, make_settings, people

BROKEN = {
    "a@1": "'a@1' has '@' in it",
    "../../etc": "'../../etc' has '/' in it",
    "x/../y": "'x/../y' has '/' in it",
    "two words": "'two words' has ' ' in it",
    " people": "' people' has ' ' in it",
    "people\n": r"'people\n' has '\n' in it",
    "a\0b": r"'a\x00b' has '\x00' in it",
    "..": "'..' begins with '.'",
    "-rf": "'-rf' begins with '-'",
    "_hidden": "'_hidden' begins with '_'",
    "": "is empty",
    "x" * 256: "has 256 characters, more than 255",
    "snap-k7m2qd9x4tz3bw": "'snap-k7m2qd9x4tz3bw' has the form of an id, and would be taken for one",
}


@pytest.mark.parametrize("name", ["people", "p", "2026-Q3", "a.b_c-d", "Flüge", "飞行", "x" * MAX_NAME, "snap-shot"])
def test_a_name_of_letters_and_digits_is_fine_in_any_alphabet(name: str) -> None:
    assert name_fault(name) is None
    assert nearest_name(name) == name


@pytest.mark.parametrize("name", BROKEN)
def test_a_name_that_breaks_the_rule_is_told_by_what(name: str) -> None:
    assert name_fault(name) == BROKEN[name]
    assert name_fault(nearest_name(name)) is None


def test_no_id_is_a_name() -> None:
    for prefix in ("map", "snap", "exp", "inst", "gp"):
        assert "form of an id" in str(name_fault(new_id(prefix)))


def test_the_rule_holds_for_whatever_is_given_a_name(home: Path, catalog_url: str) -> None:
    with Platform.open(make_settings(home, catalog_url)) as platform:
        platform.mappings.create(CreateMapping(mapping=people()), BY, Recorder())
        ways: dict[str, Callable[[str], object]] = {
            "snapshot": lambda name: platform.snapshots.create(
                CreateSnapshot(mapping="people", name=name), BY, Recorder()
            ),
            "instance": lambda name: platform.instances.launch(
                LaunchInstance(snapshot="people", name=name), BY, Recorder()
            ),
            "mapping": lambda name: platform.mappings.suggest(SuggestMapping(name=name), Recorder()),
        }
        for name, fault in BROKEN.items():
            for kind, ask in ways.items():
                with pytest.raises(PlatformError) as refused:
                    ask(name)
                assert (refused.value.code, refused.value.hint) == (ErrorCode.VALIDATION_FAILED, RULE)
                assert refused.value.message == f"the {kind}'s name {fault}"
            named = people().model_copy(update={"name": name})
            with pytest.raises(PlatformError) as refused:
                platform.mappings.create(CreateMapping(mapping=named), BY, Recorder())
            (error,) = refused.value.details["report"]["errors"]
            assert (error["code"], error["hint"]) == ("NAME_INVALID", RULE)
        assert (len(platform.mappings.list()), platform.snapshots.list()) == (1, [])


def test_a_version_that_is_too_large_for_any_mapping_is_not_there(home: Path, catalog_url: str) -> None:
    with Platform.open(make_settings(home, catalog_url)) as platform:
        platform.mappings.create(CreateMapping(mapping=people()), BY, Recorder())
        for number in ("0", "2", "99999999999999999999", "1" * 5000):
            with pytest.raises(PlatformError, match="has no version") as missing:
                platform.snapshots.create(CreateSnapshot(mapping=f"people@{number}"), BY, Recorder())
            assert missing.value.code is ErrorCode.RESOURCE_NOT_FOUND
