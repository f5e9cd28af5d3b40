"""How an operation shows in its run: progress as log lines, exports as materializations, the outcome as metadata.

The result is the entry `result` of the op's output, an error the entry `error` of its failure. These two documents are
what the command line reads, whichever process ran the job.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from dagster import AssetMaterialization, Failure, MetadataValue, OpExecutionContext

from graph_platform.errors import PlatformError
from graph_platform.foreign_errors import told
from graph_platform.orchestration.assets import remember_asset
from graph_platform.orchestration.resources import PlatformResource
from graph_platform.orchestration.tags import USER_TAG
from graph_platform.progress import Attribution, DefinitionExported
from graph_platform.settings import Settings, without_secrets

if TYPE_CHECKING:
    from graph_platform.platform import Platform

RESULT = "result"
ERROR = "error"

_SHOWN = (
    "id",
    "name",
    "status",
    "mapping",
    "version",
    "snapshot_id",
    "engine",
    "rows",
    "bytes",
    "database_bytes",
    "url",
)


class Documented(Protocol):
    """Whatever an operation returns: it can be written as JSON."""

    def document(self) -> dict[str, Any]:
        """JSON-ready data with at least `id`, `name` and `status`."""
        ...


@dataclass(frozen=True)
class Answer:
    """What a question gives: its document, and what of it stands on the run's page for a person."""

    document: dict[str, Any]
    shown: Mapping[str, MetadataValue[Any]] = field(default_factory=dict)

    @classmethod
    def in_lines(cls, document: dict[str, Any], lines: Sequence[str]) -> Answer:
        """An answer that is shown as lines of text, as they are."""
        return cls(document, {"answer": MetadataValue.md("```\n" + "\n".join(lines) + "\n```")} if lines else {})


class RunReporter:
    """A `Reporter` that shows in a Dagster run. Safe to call from the op's own threads."""

    def __init__(self, context: OpExecutionContext) -> None:
        self._context = context

    def progress(self, message: str) -> None:
        """A log line."""
        self._context.log.info(without_secrets(message))

    def exported(self, event: DefinitionExported) -> None:
        """A materialization per definition, keyed by mapping: so that its rows and bytes have a history to plot."""
        remember_asset(Settings.load(), [event.mapping, event.kind, event.name])
        self._context.log_event(
            AssetMaterialization(
                asset_key=[event.mapping, event.kind, event.name],
                description=f"{event.kind} {event.name} of mapping {event.mapping}",
                metadata={
                    "rows": MetadataValue.int(event.rows),
                    "bytes": MetadataValue.int(event.bytes),
                    "seconds": MetadataValue.float(event.seconds),
                    "snapshot": MetadataValue.text(event.snapshot),
                },
                tags={"snapshot": event.snapshot},
            )
        )

    def touched(self, kind: str, identifier: str) -> None:
        """A tag on the run, so that the runs of one mapping, snapshot or instance can be found."""
        if "\0" not in identifier:  # Dagster's database takes none; what has one is refused soon
            self._context.instance.add_run_tags(self._context.run_id, {kind: identifier})


@contextmanager
def in_op(context: OpExecutionContext, resource: PlatformResource) -> Iterator[tuple[Platform, RunReporter]]:
    """The platform for one op, and what its operations report to.

    Raises:
        Failure: for every `PlatformError`, and for what a library says of a backend that is away, with its document;
            for a defect whose traceback quotes a secret, without it, since Dagster keeps it in its event log and prints
            it. Every other defect passes as it is.
    """
    report = RunReporter(context)
    try:
        with resource.open(context.run_id, report.progress) as platform:
            yield platform, report
    except PlatformError as error:
        raise failure(error) from None
    except Exception as error:
        known = told(error)
        story = "".join(traceback.format_exception(error))
        shown = without_secrets(story)
        if shown == story:
            if known is None:
                raise
            raise failure(known) from error
        if known is not None:
            raise failure(known) from None
        said = without_secrets(f"{type(error).__name__}: {error}")
        raise Failure(said, {"traceback": MetadataValue.md(f"```\n{shown}\n```")}, allow_retries=False) from None


def done(context: OpExecutionContext, result: Documented) -> None:
    """Leave the document of what an operation changed on the run."""
    document = result.document()
    context.add_output_metadata({RESULT: MetadataValue.json(document), **_readable(document)})


def answered(context: OpExecutionContext, answer: Answer) -> None:
    """Leave an answer on the run."""
    context.add_output_metadata({RESULT: MetadataValue.json(answer.document), **answer.shown})


def attribution(context: OpExecutionContext) -> Attribution:
    """Who launched the run: who submitted it, else the user of this process."""
    return Attribution(context.run.tags.get(USER_TAG) or Settings.load().user, context.run_id)


def failure(error: PlatformError) -> Failure:
    """The run's failure: what happened, what to do about it, and the error's document."""
    error = PlatformError.from_document(without_secrets(error.document()))
    metadata: dict[str, Any] = {ERROR: MetadataValue.json(error.document())}
    if error.hint:
        metadata["what to do"] = MetadataValue.text(error.hint)
    report = error.details.get("report")
    if report:
        metadata["problems"] = MetadataValue.md(problems_table(report))
    return Failure(f"{error.code}: {error.message}", metadata, allow_retries=error.retryable)


def problems_table(report: Mapping[str, Any]) -> str:
    """The problems of a validation report as a Markdown table, errors first."""
    lines = ["| | object | field | problem | what to write instead |", "|---|---|---|---|---|"]
    for severity, key in (("error", "errors"), ("warning", "warnings")):
        for problem in report.get(key) or ():
            place = problem.get("position")
            field = problem.get("field") or ""
            where = f"{field} {place['line']}:{place['column']}".strip() if place else field
            cells = (severity, problem["entity"], where, problem["message"], problem.get("hint") or "")
            lines.append("| " + " | ".join(cell(text) for text in cells) + " |")
        if report.get(f"more_{key}"):
            lines.append(f"| {severity} | | | and {report[f'more_{key}']:,} more | |")
    return "\n".join(lines) if len(lines) > 2 else "No problems."


def cell(text: str) -> str:
    """A text as it stands in a cell of a Markdown table."""
    return text.replace("|", "\\|").replace("\n", " ")


def _readable(document: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name in _SHOWN:
        value = document.get(name)
        if value is not None:
            shown[name] = MetadataValue.url(value) if name == "url" else value
    return shown
