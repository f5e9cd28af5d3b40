"""The fuzz of the gate: what it lets through must open no file, list no folder, connect to nothing and crash no engine.

    python -m graph_platform_tests.engine.fuzz_gate --count 100000 --seed 7

Statements come from `hostile.py`; an engine runs in a child process (`fuzz_child.py`), which is started again behind
the statement that it died of. The seed is printed, and each failure with its number, so that `--seed S --start N
--count 1` does it again.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graph_platform.engine.gate.clauses import Access
from graph_platform_tests.engine.fuzz_child import WEAKENED, generated
from graph_platform_tests.engine.hostile import Bait

ENGINES = ("ladybug", "ryugraph")
SILENCE_SECONDS = 120
"""How long one statement may take before its process is ended: far more than planning needs on a busy machine."""

MAX_FAILURES = 30

KNOWN_CRASHES: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"\bALL\s+SHORTEST\b", re.IGNORECASE),
        "all shortest paths from or to nodes of which a filter leaves none, on both engines",
    ),
    (
        re.compile(r"\b(count|sum|avg|min|max|collect)`?\s*\(\s*DISTINCT\b", re.IGNORECASE),
        "a DISTINCT aggregate of a list, or beside a grouping key that is a list or NaN, sometimes, on both engines",
    ),
    (
        re.compile(r"\bCREATE\s*\(\s*[^\s():]+\s*\)\s*-\s*\[", re.IGNORECASE),
        "an edge made at a node whose label is not written: it may be taken for one of another table, on both engines",
    ),
)
"""Shape and cause of crashes that depend on the data, so that no rule of the gate can tell them from what is wanted.
They cost the process of a worker. Only a crash is forgiven, nothing else that such a statement does."""


_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


@dataclass(frozen=True)
class Failure:
    """What a statement did that it must not."""

    engine: str
    access: Access
    index: int
    what: str
    text: str

    def known(self) -> bool:
        """Whether it is a crash that is in the table."""
        plain = _COMMENT.sub(" ", self.text)
        return self.what.startswith("the process died") and any(shape.search(plain) for shape, _ in KNOWN_CRASHES)


@dataclass
class Report:
    """The counts of a run, and what failed."""

    counts: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)

    def share(self, part: str) -> float:
        """Of the statements that were let through."""
        return self.counts[part] / max(1, self.counts["let through"])

    def __str__(self) -> str:
        said = ", ".join(
            f"{self.counts[key]:,} {key}" for key in ("generated", "let through", "bound", "failed when run")
        )
        unparsed = f"{self.share('unparsed'):.0%} of those let through refused by the parser"
        return f"{said}; {unparsed}, {self.share('unbound'):.0%} by the binder, {len(self.failures)} failures"


def fuzz(
    engine: str, access: Access, seed: int, start: int, count: int, *, weakened: str = "", most: int = 0
) -> Report:
    """Run the statements `start` to `start + count` of a seed; with `most`, end after so many failures."""
    report = Report()
    end = start + count
    with tempfile.TemporaryDirectory(prefix="fuzz-gate-") as folder:
        _lay_bait(Path(folder))
        progress = Path(folder) / "progress"
        spec = {"engine": engine, "access": access, "seed": seed, "end": end, "weakened": weakened}
        spec |= {"folder": folder, "progress": str(progress)}
        while start < end and len(report.failures) < (most or MAX_FAILURES):
            progress.write_bytes(struct.pack("q", start))
            status, silent, lines = _child({**spec, "start": start}, progress, Path(folder) / "said", most)
            bait = Bait(f"{folder}/bait", "http://127.0.0.1:1/")
            for line in lines:
                if "counts" in line:
                    report.counts.update(line["counts"])
                else:
                    report.failures.append(Failure(engine, access, line["index"], line["what"], line["text"]))
            reached = struct.unpack("q", progress.read_bytes())[0]
            if status == 0 or (most and len(report.failures) >= most):
                break
            what = "the process was silent" if silent else f"the process died with status {status}"
            failure = Failure(engine, access, reached, what, generated(seed, reached, access, bait))
            if failure.known():
                report.counts["known crashes"] += 1
            else:
                report.failures.append(failure)
            start = reached + 1
            for log in Path(folder).glob("graph.db*"):
                log.unlink()
    return report


def _child(spec: dict[str, object], progress: Path, said: Path, most: int) -> tuple[int, bool, list[dict[str, Any]]]:
    """Exit status, whether it had to be ended for its silence, and what it said."""
    with said.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "graph_platform_tests.engine.fuzz_child"],
            stdin=subprocess.PIPE,
            stdout=output,
            cwd=Path(__file__).parents[2],
        )
        assert process.stdin is not None
        process.stdin.write(json.dumps(spec).encode())
        process.stdin.close()
        last, since, silent = b"", time.monotonic(), False
        while process.poll() is None:
            time.sleep(0.05)
            reached = progress.read_bytes()
            if reached != last:
                last, since = reached, time.monotonic()
            silent = time.monotonic() - since > SILENCE_SECONDS
            if silent or (most and said.read_text().count('"what"') >= most):
                process.kill()
                process.wait()
    return (
        process.returncode,
        silent,
        [json.loads(line) for line in said.read_text().splitlines() if line.endswith("}")],
    )


def _lay_bait(folder: Path) -> None:
    bait = folder / "bait"
    (bait / "inner").mkdir(parents=True)
    for name in ("bait.csv", "bait", "inner/bait.csv"):
        (bait / name).write_text("h|i\nBAIT|1\n")
    (bait / "bait.parquet").write_bytes(b"PAR1" + bytes(100) + b"PAR1")
    (bait / "bait.npy").write_bytes(b"\x93NUMPY" + bytes(100))
    (bait / "bait.json").write_text('[{"h": "BAIT"}]')


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000, help="statements, for each engine and access")
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--engine", choices=ENGINES, action="append")
    parser.add_argument("--access", choices=("read", "write"), action="append")
    parser.add_argument("--weakened", choices=WEAKENED, default="", help="a hole to put into the gate first")
    arguments = parser.parse_args()
    failed = False
    for engine in arguments.engine or ENGINES:
        for access in arguments.access or ("read", "write"):
            begun = time.monotonic()
            print(f"{engine}, {access}, seed {arguments.seed}:", flush=True)
            report = fuzz(engine, access, arguments.seed, arguments.start, arguments.count, weakened=arguments.weakened)
            print(f"  {report}, {time.monotonic() - begun:.0f} s")
            operators = sorted(key.removeprefix("operator ") for key in report.counts if key.startswith("operator "))
            print(f"  operators: {' '.join(operators)}")
            for failure in report.failures:
                print(f"  {failure.index}: {failure.what}\n    {failure.text!r}")
            failed |= bool(report.failures)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
