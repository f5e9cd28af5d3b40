"""What a test does when a program that its server needs is not on this machine: skip and say how to get it.

In CI nothing may be skipped, so there the same is a failure.
"""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def missing(what: str, command: str) -> NoReturn:
    """Skip the test, or fail it in CI.

    Args:
        what: the thing that was not found, with the reason where there is one.
        command: what a developer types to get it.
    """
    message = f"{what} is missing; get it with: {command}"
    if os.environ.get("CI", "").lower() in ("true", "1"):
        pytest.fail(message, pytrace=False)
    pytest.skip(message)
