"""What an installation grants: defaults, ceilings, and the one error of each kind of mistake."""

from __future__ import annotations

from dataclasses import replace

import pytest

from graph_platform.durations import EXAMPLE, Duration, parse_duration
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.lives import Grant, LifeFault, LifeRefusal, Lived, Lives, granted, read_life
from graph_platform.settings import Settings

SHIPPED = {
    Lived.MAPPING: Grant(Lived.MAPPING, None, Duration(days=30), Duration(days=365)),
    Lived.SNAPSHOT: Grant(Lived.SNAPSHOT, Duration(days=7), Duration(days=3), Duration(days=30)),
    Lived.INSTANCE: Grant(Lived.INSTANCE, parse_duration("PT24H"), parse_duration("PT4H"), Duration(days=7)),
}


@pytest.mark.parametrize("kind", Lived)
def test_who_asks_for_nothing_gets_the_defaults(kind: Lived) -> None:
    grant = granted(Settings.load({}), kind)
    assert grant == SHIPPED[kind]
    assert grant.lives(None, "") == Lives(grant.ttl, grant.inactivity)


def test_who_asks_gets_what_was_asked_for_up_to_the_ceiling() -> None:
    grant = SHIPPED[Lived.SNAPSHOT]
    assert grant.lives("P30D", "PT720H") == Lives(Duration(days=30), parse_duration("PT720H"))
    assert grant.lives("P2W", None) == Lives(Duration(days=14), Duration(days=3))


TOO_LONG = {
    (Lived.INSTANCE, "P8D", "P7D"): "ttl is P8D: longer than the P7D that an instance may live",
    (Lived.INSTANCE, "PT168.1H", "P7D"): "ttl is PT168.1H: longer than the P7D that an instance may live",
    (Lived.SNAPSHOT, "P1M", "P30D"): "ttl is P1M, which can be 31 days: longer than the P30D that a snapshot may live",
    (Lived.MAPPING, "P1Y", "P365D"): "ttl is P1Y, which can be 366 days: longer than the P365D that a mapping may live",
}


@pytest.mark.parametrize(("asked", "message"), TOO_LONG.items())
def test_a_life_is_held_against_the_ceiling_by_the_longest_that_it_can_be(
    asked: tuple[Lived, str, str], message: str
) -> None:
    kind, text, ceiling = asked
    with pytest.raises(LifeRefusal) as refused:
        SHIPPED[kind].lives(text, None)
    assert refused.value.fault is LifeFault.TOO_LONG
    assert refused.value.document() == {
        "code": "VALIDATION_FAILED",
        "message": message,
        "hint": f"write {ceiling} or less",
        "details": {"field": "ttl", "fault": "too long"},
    }


@pytest.mark.parametrize(("text", "ceiling"), [("P1M", "P31D"), ("P1M", "P1M"), ("P11M", "P365D"), ("P1Y", "P366D")])
def test_a_month_fits_where_its_longest_does(text: str, ceiling: str) -> None:
    grant = replace(SHIPPED[Lived.MAPPING], ceiling=parse_duration(ceiling))
    assert grant.lives(text, text) == Lives(parse_duration(text), parse_duration(text))


@pytest.mark.parametrize("text", ["tomorrow", "-P1D", "P0D", "P999999999Y", " "])
def test_what_is_no_life_is_refused_with_the_field_and_an_example(text: str) -> None:
    for read in (read_life, SHIPPED[Lived.INSTANCE].life):
        with pytest.raises(LifeRefusal) as refused:
            read("inactivity_timeout", text)
        assert refused.value.fault is LifeFault.UNREADABLE
        assert refused.value.message.startswith("inactivity_timeout: ")
        assert refused.value.code is ErrorCode.VALIDATION_FAILED
        assert refused.value.hint == EXAMPLE


@pytest.mark.parametrize("name", ["TTL", "INACTIVITY"])
def test_a_default_above_the_ceiling_is_an_error_that_names_both_settings(name: str) -> None:
    variable = f"GRAPH_PLATFORM_SNAPSHOT_{name}"
    settings = Settings.load({variable: "P1M", "GRAPH_PLATFORM_SNAPSHOT_TTL_CEILING": "P30D"})
    with pytest.raises(PlatformError) as refused:
        granted(settings, Lived.SNAPSHOT)
    assert refused.value.message == f"{variable} is P1M, longer than the P30D of GRAPH_PLATFORM_SNAPSHOT_TTL_CEILING"


def test_the_lives_of_settings_are_read_with_them_and_go_on_to_other_processes() -> None:
    settings = Settings.load({"GRAPH_PLATFORM_MAPPING_TTL": "P1Y", "GRAPH_PLATFORM_INSTANCE_TTL": "PT1H"})
    assert (settings.mapping_ttl, settings.instance_ttl) == (Duration(months=12), parse_duration("PT1H"))
    assert Settings.load(settings.environment()) == settings
    assert Settings.load(Settings.load({}).environment()).mapping_ttl is None
    with pytest.raises(
        PlatformError, match="GRAPH_PLATFORM_INSTANCE_TTL is 'a day', which is not a duration such as 7d"
    ) as wrong:
        Settings.load({"GRAPH_PLATFORM_INSTANCE_TTL": "a day"})
    assert wrong.value.code is ErrorCode.VALIDATION_FAILED
