"""Commands on the catalog itself: its version, and its migration, which for a server of your own is done on purpose."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import click

from graph_platform.catalog.catalog import Catalog
from graph_platform.catalog.version import HEAD
from graph_platform.cli import options
from graph_platform.cli.output import Output
from graph_platform.orchestration.home import create_database, dagster_database
from graph_platform.settings import Settings, redacted


@click.command
@options.output
def migrate(output: Output) -> None:
    """Install the catalog in its database, or bring it to this platform's version, and make Dagster's database.

    Whoever works on the catalog is waited for, and waits meanwhile. Again does nothing twice.
    """
    settings = Settings.load()
    with closing(Catalog.open(settings, tell=output.progress)) as catalog:
        before, after = catalog.migrate()
    made = create_database(settings)
    document = {
        "status": "migrated" if before != after else "current",
        "from_version": before.version,
        "version": after.version,
        "oldest_code": after.oldest_code,
        "dagster_database": "made" if made else "there",
    }
    _show(document, output)


@click.command
@options.output
def show(output: Output) -> None:
    """Show the catalog's version, this platform's, and the oldest one that may still use it. Changes nothing."""
    settings = Settings.load()
    with closing(Catalog.open(settings, tell=output.progress)) as catalog:
        found = catalog.version()
        installation = catalog.installation if found.usable else None
    document = {
        "status": str(found.fitness),
        "usable": found.usable,
        "version": found.version,
        "oldest_code": found.oldest_code,
        "code": HEAD,
        "installation": installation,
        "catalog": redacted(settings, "catalog"),
        "dagster_database": dagster_database(settings),
    }
    _show(document, output)


def _show(document: dict[str, Any], output: Output) -> None:
    if output.as_json:
        output.document(document)
    else:
        output.fields(document, list(document))
