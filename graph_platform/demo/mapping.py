"""The demo's mapping, which the jobs have as their default config."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, cast

import yaml

DEMO_MAPPING = Path(__file__).with_name("flights.yaml")
DEMO_NAME = "flights"


@cache
def demo_mapping() -> dict[str, Any]:
    """The mapping as its file has it."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return cast(dict[str, Any], yaml.load(DEMO_MAPPING.read_text(encoding="utf-8"), Loader=loader))  # noqa: S506
