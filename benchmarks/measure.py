"""Pairs of timings, one after the other in turn, so that a machine whose speed drifts does not decide the ratio."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from graph_platform.progress import DefinitionExported


@dataclass(frozen=True)
class Outcome:
    """A ratio with its bound. `at_least` and `at_most` are None where the figure is only stated."""

    name: str
    what: str
    ratios: tuple[float, ...]
    first: tuple[float, ...]
    second: tuple[float, ...]
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    @property
    def holds(self) -> bool:
        return (self.at_least is None or self.ratio >= self.at_least) and (
            self.at_most is None or self.ratio <= self.at_most
        )

    def __str__(self) -> str:
        bound = f"at least {self.at_least:g}" if self.at_least is not None else ""
        bound = f"at most {self.at_most:g}" if self.at_most is not None else bound
        verdict = f"  [{bound}: {'holds' if self.holds else 'MISSED'}]" if bound else ""
        spread = f"{min(self.ratios):.3f} to {max(self.ratios):.3f} over {len(self.ratios)} pairs"
        seconds = " / ".join(_told(statistics.median(each)) for each in (self.first, self.second))
        return f"{self.name}: {self.what} = {self.ratio:.3f}{verdict}\n    {spread}; medians {seconds}{self.note}"


def _told(seconds: float) -> str:
    return f"{seconds:.3f} s" if seconds >= 0.1 else f"{seconds * 1000:.2f} ms"


def seconds(act: Callable[[], object]) -> float:
    """How long a call takes."""
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def pairs(
    first: Callable[[], object], second: Callable[[], object], count: int
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    """Time two calls in turn: the ratios first/second pair by pair, and the seconds of each. One warm-up before."""
    first()
    second()
    firsts, seconds_ = [], []
    for _ in range(count):
        firsts.append(seconds(first))
        seconds_.append(seconds(second))
    return tuple(a / b for a, b in zip(firsts, seconds_, strict=True)), tuple(firsts), tuple(seconds_)


def python(*arguments: str, environment: Mapping[str, str] | None = None) -> Callable[[], object]:
    """A call that runs this interpreter as a whole process."""
    return command([sys.executable, *arguments], environment=environment)


def command(arguments: Sequence[str], *, environment: Mapping[str, str] | None = None) -> Callable[[], object]:
    """A call that runs a command to its end and wants status 0."""

    def run() -> None:
        subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL, env=environment and dict(environment))

    return run


class Silent:
    """A reporter that nobody reads."""

    def progress(self, message: str) -> None: ...

    def exported(self, event: DefinitionExported) -> None: ...

    def touched(self, kind: str, identifier: str) -> None: ...
