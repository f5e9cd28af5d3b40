"""The command line as it is, but that it stops itself (SIGSTOP) at one place, and a test does something meanwhile.

The first argument is the place: a failpoint, or `module:attribute` of a function that is about to be called. The rest
are the command's. Dagster's tries to reach its Postgres come at once and not within eleven seconds.
"""

from __future__ import annotations

import functools
import importlib
import os
import signal
import sys
from typing import Any

from dagster_postgres import utils

from graph_platform import failpoints
from graph_platform.cli.main import main


def _stop_before(place: str) -> None:
    module, _, path = place.partition(":")
    *owners, name = path.split(".")
    owner: Any = importlib.import_module(module)
    for each in owners:
        owner = getattr(owner, each)
    function = getattr(owner, name)

    @functools.wraps(function)
    def stopping(*arguments: Any, **named: Any) -> Any:
        setattr(owner, name, function)
        os.kill(os.getpid(), signal.SIGSTOP)
        return function(*arguments, **named)

    setattr(owner, name, stopping)


if __name__ == "__main__":
    utils.retry_pg_connection_fn = functools.partial(utils.retry_pg_connection_fn, retry_wait=0.01)
    place = sys.argv[1]
    if ":" in place:
        _stop_before(place)
    else:
        failpoints._ARMED, failpoints._SIGNAL = place, signal.SIGSTOP
    main(sys.argv[2:])
