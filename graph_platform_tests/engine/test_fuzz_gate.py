"""Some ten thousand statements of the fuzz of the gate; `make fuzz-gate` runs as many as one likes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from graph_platform.engine.gate.clauses import Access
from graph_platform_tests.engine.conftest import ENGINES
from graph_platform_tests.engine.fuzz_gate import fuzz

SEED = 20_261_126  # the same each time: what a change of the gate lets through must not depend on luck
COUNTS: dict[Access, int] = {"read": 6000, "write": 4000}


def test_what_the_gate_lets_through_opens_no_file_connects_to_nothing_and_crashes_no_engine() -> None:
    kinds = [(engine, access) for access in COUNTS for engine in ENGINES]
    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(lambda kind: fuzz(kind[0], kind[1], SEED, 0, COUNTS[kind[1]]), kinds))
    for kind, report in zip(kinds, reports, strict=True):
        print(f"seed {SEED}", *kind, report)
        assert not report.failures, (kind, report.failures)
        assert report.counts["generated"] > COUNTS[kind[1]] * 0.9, "a crash takes what was last counted with it"
        assert report.share("bound") > 0.5, "what an engine refuses proves little"
        assert report.counts["let through"] > COUNTS[kind[1]] / 4


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("weakened", "what"),
    [
        ("names after AS", "file"),
        ("names after *", "file"),
        ("lambdas anywhere", "the process died"),
    ],
)
def test_the_fuzz_finds_a_hole_that_is_put_into_the_gate(engine: str, weakened: str, what: str) -> None:
    report = fuzz(engine, "read", SEED, 0, 20_000, weakened=weakened, most=1)
    assert any(failure.what.startswith(what) for failure in report.failures), report
