"""The way to an instance for other programs: an address, and a file with the token."""

from __future__ import annotations

import contextlib
import shlex
import threading
from dataclasses import asdict

import click

from graph_platform.cli import options
from graph_platform.cli.output import Output
from graph_platform.platform import Platform

_QUESTION = '{"cypher": "MATCH (n) RETURN count(*) AS nodes"}'


@click.command
@click.argument("instance", metavar="INSTANCE")
@options.output
def connect(instance: str, output: Output) -> None:
    """Open the way to a running instance, and say how to ask it. From outside of its cluster the way is there until
    Ctrl-C.
    """
    with Platform.open(tell=output.progress) as platform:
        way = platform.instances.connect(instance)
        if output.as_json:
            output.document(asdict(way))
        else:
            header = shlex.quote(f"@{way.header_file}")
            output.say(f"{way.url} answers; ask it with")
            output.say(f"  curl -H {header} -H 'Content-Type: application/json' -d '{_QUESTION}' {way.url}/query")
            output.say(f"The token is in {way.header_file}, for you alone.", "dim")
        if way.until_closed:
            output.progress("open until Ctrl-C")
            with contextlib.suppress(KeyboardInterrupt):
                threading.Event().wait()
