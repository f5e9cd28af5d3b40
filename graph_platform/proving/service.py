"""Mappings as users have them: proved, kept, changed, compared, suggested. The rules are `graph_platform.mapping`'s."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

from graph_platform.catalog import audit, mappings
from graph_platform.catalog.catalog import Catalog
from graph_platform.catalog.limits import Work
from graph_platform.catalog.records import MappingRecord, VersionLine
from graph_platform.catalog.transition import Session
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.lives import Lived, Lives, granted
from graph_platform.mapping.change.diff import change_lines
from graph_platform.mapping.change.drift import drift, recorded_columns
from graph_platform.mapping.checks.data import DataChecks
from graph_platform.mapping.checks.report import ValidationReport
from graph_platform.mapping.definition.model import MappingDefinition
from graph_platform.mapping.suggestion.suggest import write_suggestion
from graph_platform.names import nearest_name, require_name
from graph_platform.progress import Attribution, Reporter
from graph_platform.proving.proof import relations_of
from graph_platform.proving.requests import (
    CreateMapping,
    DeleteMapping,
    DiffMapping,
    RefreshSchemaCache,
    ShowMapping,
    SuggestMapping,
    UpdateMapping,
    ValidateMapping,
)
from graph_platform.proving.results import Drift, MappingDetails, RefreshedSchema, Suggestion
from graph_platform.proving.schema_cache import SchemaCache
from graph_platform.proving.suggestion import suggest_from_query, suggest_from_schema
from graph_platform.proving.validation import data_checks_mode, validate_on
from graph_platform.settings import Settings
from graph_platform.warehouse.protocol import Warehouse

Columns = list[dict[str, Any]]


class MappingService:
    """Mappings of one catalog, proved on one warehouse, which is opened when it is needed."""

    def __init__(self, settings: Settings, catalog: Callable[[], Catalog], warehouse: Callable[[], Warehouse]) -> None:
        self._settings = settings
        self._open_catalog = catalog
        self._open_warehouse = warehouse
        self._schemas = SchemaCache.of(settings)

    @property
    def _catalog(self) -> Catalog:
        return self._open_catalog()

    @property
    def _warehouse(self) -> Warehouse:
        return self._open_warehouse()

    def validate(self, request: ValidateMapping, report: Reporter) -> ValidationReport:
        """Prove a mapping against the warehouse, and its data as far as `data_checks` says; nothing is kept."""
        return self._validated(request.mapping, report, data_checks_mode(request.data_checks))

    def create(self, request: CreateMapping, by: Attribution, report: Reporter) -> MappingRecord:
        """Prove and keep a new mapping. The same definition under the same name again returns what is there.

        Raises:
            PlatformError: VALIDATION_FAILED with the report, ALREADY_EXISTS for another definition.
        """
        definition = request.mapping
        document = definition.model_dump(mode="json")
        with self._catalog.transaction() as session:
            existing = _same(session, document)
        if existing is None:
            columns = self._prove(definition, report, request.data_checks)
            try:
                with self._catalog.transaction() as session:
                    return mappings.insert_mapping(
                        session, document, lives=self._lives(definition), by=by, columns=columns
                    )
            except PlatformError as error:
                # Somebody else kept one of this name meanwhile; of two that keep the same at once, both have it.
                with self._catalog.transaction() as session:
                    existing = _same(session, document) if error.code is ErrorCode.ALREADY_EXISTS else None
                if existing is None:
                    raise
        report.touched("mapping", existing.name)
        report.progress(f"mapping {existing.name} is there already, as version {existing.version}")
        return existing

    def update(self, request: UpdateMapping, by: Attribution, report: Reporter) -> MappingRecord:
        """Prove a changed mapping and keep it as the next version; without a change nothing is added.

        Raises:
            PlatformError: RESOURCE_NOT_FOUND, VALIDATION_FAILED with the report, INVALID_STATE after a lost race.
        """
        definition = request.mapping
        document = definition.model_dump(mode="json")
        with self._catalog.transaction() as session:
            existing, version = mappings.get_version(session, definition.name)
        if version.definition == document:
            report.progress(f"mapping {existing.name} is unchanged")
            return existing
        columns = self._prove(definition, report, request.data_checks)
        try:
            with self._catalog.transaction() as session:
                return mappings.insert_version(
                    session,
                    existing,
                    document,
                    change_description=request.change_description,
                    lives=self._lives(definition),
                    by=by,
                    columns=columns,
                )
        except PlatformError as error:
            with self._catalog.transaction() as session:
                changed = _same(session, document) if error.code is ErrorCode.INVALID_STATE else None
            if changed is None:
                raise
            report.progress(f"mapping {changed.name} was changed to just this by somebody else meanwhile")
            return changed

    def delete(self, request: DeleteMapping, by: Attribution) -> MappingRecord:
        """Delete a mapping that has no snapshots.

        Raises:
            PlatformError: RESOURCE_NOT_FOUND, RESOURCE_HAS_DEPENDENCIES.
        """
        with self._catalog.transaction() as session:
            mapping = mappings.get_mapping(session, request.mapping)
            mappings.delete_mapping(session, mapping, by=by)
            return mappings.get_mapping(session, mapping.id)

    def list(self) -> builtins.list[MappingRecord]:
        """The mappings that live, newest first."""
        with self._catalog.transaction(Work.READING) as session:
            return mappings.list_mappings(session)

    def show(self, request: ShowMapping) -> MappingDetails:
        """A mapping with one version's definition, and a line for every version and event."""
        with self._catalog.transaction(Work.READING) as session:
            mapping, version = mappings.get_version(session, request.mapping)
            versions = mappings.list_versions(session, mapping.id)
            events = audit.list_events(session, mapping.id)
        return MappingDetails(
            **vars(mapping),
            shown_version=version.version,
            definition=version.definition,
            columns=version.columns,
            versions=tuple(
                VersionLine(each.version, each.change_description, each.created_by, each.created_at)
                for each in versions
            ),
            events=tuple(events),
        )

    def diff(self, request: DiffMapping, report: Reporter) -> Drift:
        """What changed in the warehouse since a version was kept: `holds`, `changes`, and `text` for a person."""
        with self._catalog.transaction(Work.READING) as session:
            mapping, version = mappings.get_version(session, request.mapping)
        definition = MappingDefinition.model_validate(version.definition)
        found = self._validated(definition, report, DataChecks.TRUSTED, kept=True)
        changes = drift(definition, version.columns, found, relations_of(self._warehouse))
        return {
            "from": f"{mapping.name}@{version.version}",
            "to": "the warehouse of today",
            "holds": found.valid,
            "changed": bool(changes),
            "changes": [change.document() for change in changes],
            "text": change_lines(changes),
            "report": found.model_dump(mode="json"),
        }

    def suggest(self, request: SuggestMapping, report: Reporter) -> Suggestion:
        """A mapping of a schema's tables, or of one query; nothing is kept.

        Returns:
            `mapping`, its definition; `yaml`, the same as text with a comment on every guess; `notes`, what was left.

        Raises:
            PlatformError: RESOURCE_NOT_FOUND for a schema, VALIDATION_FAILED for a query or a name, or
                BACKEND_UNREACHABLE.
        """
        require_name("mapping", request.name)
        schema = request.schema_name
        if request.sql:
            made = suggest_from_query(self._warehouse, request.name, request.sql, request.edge, self._settings)
        else:
            if not request.refresh and self._schemas.known(schema) is not None:
                report.progress("the tables are those that were known lately; with --refresh they are asked for anew")
            ask = self._schemas.refresh if request.refresh else self._schemas.relations
            relations = ask(self._warehouse, schema)
            made = suggest_from_schema(
                self._warehouse,
                request.name or nearest_name(schema or "suggested"),
                relations,
                self._settings,
                report.progress,
            )
        return {
            "name": made.name,
            "mapping": made.mapping.model_dump(mode="json"),
            "notes": [*made.notes],
            "yaml": write_suggestion(made),
        }

    def refresh_schema_cache(self, request: RefreshSchemaCache) -> RefreshedSchema:
        """Ask anew for the tables of a schema; returns how many there are."""
        found = self._schemas.refresh(self._warehouse, request.schema_name)
        columns = sum(len(relation.columns) for relation in found)
        return {"schema": request.schema_name, "relations": len(found), "columns": columns}

    def _lives(self, definition: MappingDefinition) -> Lives:
        """A mapping's own lives, and where it has none the defaults of the day on which this version is kept."""
        return granted(self._settings, Lived.MAPPING).lives(definition.ttl, definition.inactivity_timeout)

    def _validated(
        self, definition: MappingDefinition, report: Reporter, mode: DataChecks, *, kept: bool = False
    ) -> ValidationReport:
        report.touched("mapping", definition.name)
        known = self._schemas.known() or ()
        warehouse = self._warehouse.tagged(mapping=definition.name)
        return validate_on(warehouse, definition, self._settings, report.progress, mode, known, kept).report

    def _prove(self, definition: MappingDefinition, report: Reporter, data_checks: str) -> Columns:
        """The columns to be kept with the version, if it is valid."""
        found = self._validated(definition, report, data_checks_mode(data_checks))
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
