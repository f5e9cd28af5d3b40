"""The platform as its callers hold it: four adapters chosen by four URLs, and the operations over them.

Each operation is a few lines that call the room it belongs to; adapters open on first use, so that a question to the
catalog does not need a warehouse.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import timedelta
from functools import cached_property
from types import TracebackType
from typing import Any, Self

from graph_platform.catalog import audit, export_jobs, mappings, snapshots
from graph_platform.catalog.catalog import Catalog
from graph_platform.catalog.limits import Work
from graph_platform.catalog.records import InstanceRecord, MappingRecord, SnapshotRecord
from graph_platform.catalog.transition import Session
from graph_platform.engine.parameters import check_question
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.instance.connect import open_runtime
from graph_platform.instance.listing import list_as_seen
from graph_platform.instance.protocol import Runtime
from graph_platform.instance.service import InstanceService
from graph_platform.mapping.data_checks import DataChecks
from graph_platform.mapping.diff import change_lines
from graph_platform.mapping.drift import drift, recorded_columns
from graph_platform.mapping.duration import parse_duration
from graph_platform.mapping.model import MappingDefinition
from graph_platform.mapping.report import ValidationReport
from graph_platform.mapping.suggest import write_suggestion
from graph_platform.progress import Attribution, Reporter
from graph_platform.settings import Settings
from graph_platform.snapshot.proof import relations_of
from graph_platform.snapshot.service import SnapshotService
from graph_platform.storage.connect import open_storage
from graph_platform.storage.protocol import Storage
from graph_platform.warehouse.connect import open_warehouse
from graph_platform.warehouse.protocol import Warehouse
from graph_platform.warehouse.schema_cache import SchemaCache
from graph_platform.warehouse.suggestion import suggest_from_query, suggest_from_schema
from graph_platform.warehouse.validation import data_checks_mode, validate_on


class Platform:
    """Everything that a user can do. A context manager: leaving it closes what was opened."""

    def __init__(
        self, settings: Settings, run_id: str | None = None, tell: Callable[[str], None] | None = None
    ) -> None:
        self.settings = settings
        self._run_id = run_id
        self._tell = tell

    @classmethod
    def open(
        cls, settings: Settings | None = None, run_id: str | None = None, tell: Callable[[str], None] | None = None
    ) -> Platform:
        """The platform of these settings, or of the environment.

        Args:
            run_id: the Dagster run in which it is used, which the warehouse shows beside its queries, and the catalog
                to those who wait for it.
            tell: where a word about a long wait for the catalog goes.
        """
        return cls(settings or Settings.load(), run_id, tell)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for adapter in ("warehouse", "catalog"):
            if adapter in self.__dict__:
                getattr(self, adapter).close()

    @cached_property
    def catalog(self) -> Catalog:
        return Catalog.open(self.settings, run_id=self._run_id, tell=self._tell)

    @cached_property
    def warehouse(self) -> Warehouse:
        opened = open_warehouse(self.settings)
        return opened.tagged(run=self._run_id) if self._run_id else opened

    @cached_property
    def storage(self) -> Storage:
        return open_storage(self.settings.storage)

    @cached_property
    def runtime(self) -> Runtime:
        return open_runtime(self.settings, self.catalog.installation, self._tell)

    @cached_property
    def _schemas(self) -> SchemaCache:
        return SchemaCache.of(self.settings)

    @cached_property
    def _snapshots(self) -> SnapshotService:
        return SnapshotService(self.settings, self.catalog, self.warehouse, self.storage)

    @cached_property
    def _instances(self) -> InstanceService:
        return InstanceService(self.settings, self.catalog, lambda: self.runtime)

    def validate_mapping(
        self, definition: MappingDefinition, report: Reporter, data_checks: str = "trusted"
    ) -> ValidationReport:
        """Prove a mapping against the warehouse, and its data as far as `data_checks` says; nothing is kept."""
        return self._validated(definition, report, data_checks_mode(data_checks))

    def _validated(
        self, definition: MappingDefinition, report: Reporter, mode: DataChecks, *, kept: bool = False
    ) -> ValidationReport:
        report.touched("mapping", definition.name)
        known = self._schemas.known() or ()
        warehouse = self.warehouse.tagged(mapping=definition.name)
        return validate_on(warehouse, definition, self.settings, report.progress, mode, known, kept).report

    def create_mapping(
        self, definition: MappingDefinition, by: Attribution, report: Reporter, data_checks: str = "trusted"
    ) -> MappingRecord:
        """Prove and keep a new mapping. The same definition under the same name again returns what is there.

        Raises:
            PlatformError: VALIDATION_FAILED with the report, ALREADY_EXISTS for another definition.
        """
        document = definition.model_dump(mode="json")
        with self.catalog.transaction() as session:
            existing = _same(session, document)
        if existing is None:
            columns = self._prove(definition, report, data_checks)
            try:
                with self.catalog.transaction() as session:
                    return mappings.insert_mapping(session, document, **_lives(definition), by=by, columns=columns)
            except PlatformError as error:
                # Somebody else kept one of this name meanwhile; of two that keep the same at once, both have it.
                with self.catalog.transaction() as session:
                    existing = _same(session, document) if error.code is ErrorCode.ALREADY_EXISTS else None
                if existing is None:
                    raise
        report.touched("mapping", existing.name)
        report.progress(f"mapping {existing.name} is there already, as version {existing.version}")
        return existing

    def update_mapping(
        self,
        definition: MappingDefinition,
        change_description: str,
        by: Attribution,
        report: Reporter,
        data_checks: str = "trusted",
    ) -> MappingRecord:
        """Prove a changed mapping and keep it as the next version; without a change nothing is added.

        Raises:
            PlatformError: RESOURCE_NOT_FOUND, VALIDATION_FAILED with the report, INVALID_STATE after a lost race.
        """
        document = definition.model_dump(mode="json")
        with self.catalog.transaction() as session:
            existing, version = mappings.get_version(session, definition.name)
        if version.definition == document:
            report.progress(f"mapping {existing.name} is unchanged")
            return existing
        columns = self._prove(definition, report, data_checks)
        try:
            with self.catalog.transaction() as session:
                return mappings.insert_version(
                    session,
                    existing,
                    document,
                    change_description=change_description,
                    **_lives(definition),
                    by=by,
                    columns=columns,
                )
        except PlatformError as error:
            with self.catalog.transaction() as session:
                changed = _same(session, document) if error.code is ErrorCode.INVALID_STATE else None
            if changed is None:
                raise
            report.progress(f"mapping {changed.name} was changed to just this by somebody else meanwhile")
            return changed

    def delete_mapping(self, reference: str, by: Attribution) -> MappingRecord:
        """Delete a mapping that has no snapshots.

        Raises:
            PlatformError: RESOURCE_NOT_FOUND, RESOURCE_HAS_DEPENDENCIES.
        """
        with self.catalog.transaction() as session:
            mapping = mappings.get_mapping(session, reference)
            mappings.delete_mapping(session, mapping, by=by)
            return mappings.get_mapping(session, mapping.id)

    def show_mapping(self, reference: str) -> dict[str, Any]:
        """A mapping with one version's definition, and a line for every version and event."""
        with self.catalog.transaction(Work.READING) as session:
            mapping, version = mappings.get_version(session, reference)
            versions = mappings.list_versions(session, mapping.id)
            events = audit.list_events(session, mapping.id)
        return {
            **mapping.document(),
            "shown_version": version.version,
            "definition": version.definition,
            "columns": version.columns,
            "versions": [
                {key: value for key, value in each.document().items() if key not in ("definition", "columns")}
                for each in versions
            ],
            "events": [event.document() for event in events],
        }

    def diff_mapping(self, reference: str, report: Reporter) -> dict[str, Any]:
        """What changed in the warehouse since a version was kept: `holds`, `changes`, and `text` for a person."""
        with self.catalog.transaction(Work.READING) as session:
            mapping, version = mappings.get_version(session, reference)
        definition = MappingDefinition.model_validate(version.definition)
        found = self._validated(definition, report, DataChecks.TRUSTED, kept=True)
        changes = drift(definition, version.columns, found, relations_of(self.warehouse))
        return {
            "from": f"{mapping.name}@{version.version}",
            "to": "the warehouse of today",
            "holds": found.valid,
            "changed": bool(changes),
            "changes": [change.document() for change in changes],
            "text": change_lines(changes),
            "report": found.model_dump(mode="json"),
        }

    def suggest_mapping(
        self,
        schema: str | None,
        sql: str | None,
        edge: bool,
        name: str | None,
        report: Reporter,
        refresh: bool = False,
    ) -> dict[str, Any]:
        """A mapping of a schema's tables, or of one query; nothing is kept.

        Args:
            schema: where the tables are, None for those that unqualified names mean; not with `sql`.
            sql: a query that becomes one node, or one edge if `edge` says so.
            name: the mapping's name, None for one made from the schema or the query.
            refresh: whether the tables are asked for anew, however lately that was done.

        Returns:
            `mapping`, its definition; `yaml`, the same as text with a comment on every guess; `notes`, what was left.

        Raises:
            PlatformError: RESOURCE_NOT_FOUND for a schema, VALIDATION_FAILED for a query, BACKEND_UNREACHABLE.
        """
        if sql:
            made = suggest_from_query(self.warehouse, name, sql, edge, self.settings)
        else:
            if not refresh and self._schemas.known(schema) is not None:
                report.progress("the tables are those that were known lately; with --refresh they are asked for anew")
            ask = self._schemas.refresh if refresh else self._schemas.relations
            relations = ask(self.warehouse, schema)
            made = suggest_from_schema(
                self.warehouse, name or schema or "suggested", relations, self.settings, report.progress
            )
        text = write_suggestion(made)
        return {
            "name": made.name,
            "mapping": made.mapping.model_dump(mode="json"),
            "notes": made.notes,
            "yaml": text,
            "text": text.splitlines(),
        }

    def refresh_schema_cache(self, schema: str | None) -> dict[str, Any]:
        """Ask anew for the tables of a schema, None for the default one; returns how many there are."""
        found = self._schemas.refresh(self.warehouse, schema)
        columns = sum(len(relation.columns) for relation in found)
        return {"schema": schema, "relations": len(found), "columns": columns}

    def create_snapshot(
        self,
        mapping: str,
        name: str | None,
        ttl: str | None,
        inactivity_timeout: str | None,
        by: Attribution,
        report: Reporter,
        data_checks: str = "trusted",
    ) -> SnapshotRecord:
        """See `SnapshotService.create`."""
        return self._snapshots.create(
            mapping,
            name=name,
            ttl=ttl,
            inactivity_timeout=inactivity_timeout,
            by=by,
            report=report,
            data_checks=data_checks_mode(data_checks),
        )

    def delete_snapshot(self, reference: str, by: Attribution) -> SnapshotRecord:
        """See `SnapshotService.delete`."""
        return self._snapshots.delete(reference, by=by)

    def show_snapshot(self, reference: str) -> dict[str, Any]:
        """A snapshot with its exports and events."""
        with self.catalog.transaction(Work.READING) as session:
            snapshot = snapshots.get_snapshot(session, reference)
            jobs = export_jobs.list_jobs(session, snapshot.id)
            events = audit.list_events(session, snapshot.id)
        return {
            **snapshot.document(),
            "exports": [job.document() for job in jobs],
            "events": [event.document() for event in events],
        }

    def launch_instance(
        self,
        snapshot: str,
        name: str | None,
        ttl: str | None,
        inactivity_timeout: str | None,
        by: Attribution,
        report: Reporter,
    ) -> InstanceRecord:
        """See `InstanceService.launch`."""
        return self._instances.launch(
            snapshot, name=name, ttl=ttl, inactivity_timeout=inactivity_timeout, by=by, report=report
        )

    def suspend_instance(self, reference: str, by: Attribution, report: Reporter) -> InstanceRecord:
        """See `InstanceService.suspend`."""
        return self._instances.suspend(reference, by=by, report=report)

    def resume_instance(self, reference: str, by: Attribution, report: Reporter) -> InstanceRecord:
        """See `InstanceService.resume`."""
        return self._instances.resume(reference, by=by, report=report)

    def extend_instance(self, reference: str, duration: str, reason: str, by: Attribution) -> InstanceRecord:
        """See `InstanceService.extend`."""
        return self._instances.extend(reference, duration, reason, by=by)

    def terminate_instance(self, reference: str, by: Attribution, report: Reporter) -> InstanceRecord:
        """See `InstanceService.terminate`."""
        return self._instances.terminate(reference, by=by, report=report)

    def query_instance(
        self,
        reference: str,
        cypher: str,
        parameters: Mapping[str, Any] | None = None,
        timeout_seconds: float | None = None,
        row_limit: int | None = None,
    ) -> dict[str, Any]:
        """See `InstanceService.query`. What no JSON can carry is refused as VALIDATION_FAILED."""
        check_question(cypher, parameters or {})
        return self._instances.query(
            reference, cypher, parameters=parameters, timeout_seconds=timeout_seconds, row_limit=row_limit
        )

    def show_instance(self, reference: str) -> dict[str, Any]:
        """An instance as it is, with what the runtime sees of it, and its events. See `InstanceService.look`."""
        instance, observed = self._instances.look(reference)
        with self.catalog.transaction(Work.READING) as session:
            events = audit.list_events(session, instance.id)
        return {
            **instance.document(),
            "observed": asdict(observed) if observed else None,
            "events": [event.document() for event in events],
        }

    def list_mappings(self) -> list[MappingRecord]:
        """The mappings that live."""
        with self.catalog.transaction(Work.READING) as session:
            return mappings.list_mappings(session)

    def list_snapshots(self, mapping: str | None = None) -> list[SnapshotRecord]:
        """The snapshots that are not deleted, of one mapping or of all."""
        with self.catalog.transaction(Work.READING) as session:
            identifier = mappings.get_mapping(session, mapping).id if mapping else None
            return snapshots.list_snapshots(session, identifier)

    def list_instances(self) -> list[InstanceRecord]:
        """The instances that are not terminated, as the runtime sees them; as their rows say, where it cannot."""
        return list(list_as_seen(self.settings, self.catalog).instances)

    def _prove(self, definition: MappingDefinition, report: Reporter, data_checks: str) -> list[dict[str, Any]]:
        """The columns to be kept with the version, if it is valid."""
        found = self.validate_mapping(definition, report, data_checks)
        if not found.valid:
            count = len(found.errors) + found.more_errors
            raise PlatformError(
                ErrorCode.VALIDATION_FAILED,
                f"mapping {definition.name!r} has {count:,} problem{'s' if count != 1 else ''}: "
                + "; ".join(f"{problem.entity}: {problem.message}" for problem in found.errors[:3])
                + ("; …" if count > 3 else ""),
                "the report lists them; nothing was kept",
                {"report": found.model_dump(mode="json")},
            )
        for warning in found.warnings:
            hint = f"; {warning.hint}" if warning.hint else ""
            report.progress(f"warning: {warning.entity}: {warning.message}{hint}")
        return recorded_columns(found)


def _same(session: Session, document: dict[str, Any]) -> MappingRecord | None:
    """The living mapping of that name, if its newest version has this definition."""
    if mappings.find_mapping(session, document["name"]) is None:
        return None
    existing, version = mappings.get_version(session, document["name"])
    return existing if version.definition == document else None


def _lives(definition: MappingDefinition) -> dict[str, timedelta | None]:
    """A mapping's own lives; None where it leaves them to the settings of the day."""
    return {
        "ttl": parse_duration(definition.ttl) if definition.ttl else None,
        "inactivity_timeout": parse_duration(definition.inactivity_timeout) if definition.inactivity_timeout else None,
    }
