"""Mappings and their versions: rows in, records out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, Select, String, and_, func, insert, select, update

from graph_platform.catalog.catalog import clock
from graph_platform.catalog.ids import new_id
from graph_platform.catalog.records import MappingRecord, MappingVersion
from graph_platform.catalog.selection import EVERY, Selection, newest, selected
from graph_platform.catalog.states import Entity, MappingStatus
from graph_platform.catalog.tables import mapping_versions, mappings, snapshots
from graph_platform.catalog.transition import Session, create_named, note, transition
from graph_platform.catalog.use import hold_for_use
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.lives import Lives
from graph_platform.progress import Attribution

_LIVING = MappingStatus.ACTIVE


def _query() -> Select[Any]:
    definition = mapping_versions.c.definition
    return select(
        mappings,
        definition["description"].astext.cast(String).label("description"),
        func.jsonb_array_length(definition["node_definitions"]).label("nodes"),
        func.jsonb_array_length(definition["edge_definitions"]).label("edges"),
    ).join(
        mapping_versions,
        and_(
            mapping_versions.c.mapping_id == mappings.c.id,
            mapping_versions.c.version == mappings.c.current_version,
        ),
    )


def _record(row: Row[Any]) -> MappingRecord:
    return MappingRecord(
        id=row.id,
        name=row.name,
        status=row.status,
        version=row.current_version,
        description=row.description,
        nodes=row.nodes,
        edges=row.edges,
        owner=row.owner,
        ttl=row.ttl,
        inactivity_timeout=row.inactivity_timeout,
        created_at=row.created_at,
        updated_at=row.updated_at,
        last_used_at=row.last_used_at,
        expires_at=row.life_ends_at,
        idle_ends_at=row.idle_ends_at,
    )


def list_mappings(session: Session, selection: Selection = EVERY) -> list[MappingRecord]:
    """The mappings that live, newest first, or what is selected of all."""
    ids = selected(mappings, selection, MappingStatus.DELETED)
    return [_record(row) for row in session.execute(_query().where(mappings.c.id.in_(ids)).order_by(*newest(mappings)))]


def find_mapping(session: Session, name: str) -> MappingRecord | None:
    """The living mapping of exactly that name."""
    if "\0" in name:  # Postgres refuses even the question, and what is wrong with the name is validation's to say
        return None
    row = session.execute(_query().where(mappings.c.name == name, mappings.c.status == _LIVING)).first()
    return _record(row) if row else None


def get_mapping(session: Session, reference: str) -> MappingRecord:
    """The living mapping with that name, or the mapping with that id.

    Raises:
        PlatformError: RESOURCE_NOT_FOUND, with the names that there are.
    """
    found = find_mapping(session, reference)
    if found:
        return found
    row = session.execute(_query().where(mappings.c.id == reference)).first()
    if row:
        return _record(row)
    names = session.scalars(
        select(mappings.c.name).where(mappings.c.status == _LIVING).order_by(mappings.c.name).limit(10)
    ).all()
    raise PlatformError(
        ErrorCode.RESOURCE_NOT_FOUND,
        f"there is no mapping {reference!r}",
        f"there are: {', '.join(names)}" if names else "there are none yet: `graph-platform mapping create FILE`",
    )


def get_version(session: Session, reference: str) -> tuple[MappingRecord, MappingVersion]:
    """A mapping and one of its versions, from `NAME`, `NAME@VERSION`, or the same with an id.

    Raises:
        PlatformError: RESOURCE_NOT_FOUND.
    """
    name, at, number = reference.rpartition("@")
    if at and number.isdecimal():  # no name has an @
        mapping, wanted = get_mapping(session, name), number.lstrip("0")
    else:
        mapping = get_mapping(session, reference)
        wanted = str(mapping.version)
    row = None
    if len(wanted) <= len(str(mapping.version)):  # as a number, it may be larger than any that Postgres has
        of_this = mapping_versions.c.mapping_id == mapping.id
        row = session.execute(
            select(mapping_versions).where(of_this, mapping_versions.c.version == int(wanted or 0))
        ).first()
    if row is None:
        raise PlatformError(
            ErrorCode.RESOURCE_NOT_FOUND,
            f"mapping {mapping.name!r} has no version {number[:20] if at else wanted}",
            f"its versions are 1 to {mapping.version}",
        )
    return mapping, _version(row)


def _version(row: Row[Any]) -> MappingVersion:
    return MappingVersion(
        row.version, row.change_description, row.created_by, row.created_at, row.definition, row.columns
    )


def list_versions(session: Session, mapping_id: str) -> list[MappingVersion]:
    """Every version of a mapping, oldest first."""
    query = select(mapping_versions).where(mapping_versions.c.mapping_id == mapping_id)
    return [_version(row) for row in session.execute(query.order_by(mapping_versions.c.version))]


def insert_mapping(
    session: Session,
    definition: Mapping[str, Any],
    *,
    lives: Lives,
    by: Attribution,
    columns: Sequence[Mapping[str, Any]] = (),
) -> MappingRecord:
    """Keep a new mapping with its version 1.

    Args:
        columns: what the warehouse gives for it today, as `MappingVersion.columns`.

    Raises:
        PlatformError: ALREADY_EXISTS, also when another process took the name a moment ago.
    """
    identifier, name = new_id("map"), definition["name"]
    create_named(
        session,
        Entity.MAPPING,
        {
            "id": identifier,
            "name": name,
            "owner": by.user,
            "current_version": 1,
            "ttl": lives.ttl,
            "inactivity_timeout": lives.inactivity_timeout,
        },
        status=MappingStatus.ACTIVE,
        by=by,
        taken=PlatformError(
            ErrorCode.ALREADY_EXISTS,
            f"a mapping {name!r} exists already",
            "change it with `graph-platform mapping update FILE`, or choose another name",
        ),
    )
    _insert_version(session, identifier, 1, definition, columns, "created", by)
    return get_mapping(session, identifier)


def insert_version(
    session: Session,
    mapping: MappingRecord,
    definition: Mapping[str, Any],
    *,
    change_description: str,
    lives: Lives,
    by: Attribution,
    columns: Sequence[Mapping[str, Any]] = (),
) -> MappingRecord:
    """Add the version after the one that the change was made from.

    Args:
        columns: what the warehouse gives for it today, as `MappingVersion.columns`.

    Raises:
        PlatformError: INVALID_STATE if somebody else changed or deleted the mapping since it was read.
    """
    version = mapping.version + 1
    changed = session.execute(
        update(mappings)
        .where(
            mappings.c.id == mapping.id,
            mappings.c.status == MappingStatus.ACTIVE,
            mappings.c.current_version == mapping.version,
        )
        .values(
            current_version=version,
            updated_at=clock(),
            last_used_at=clock(),
            ttl=lives.ttl,
            inactivity_timeout=lives.inactivity_timeout,
        )
    )
    if changed.rowcount != 1:
        raise PlatformError(
            ErrorCode.INVALID_STATE,
            f"mapping {mapping.name!r} was changed or deleted by somebody else while this change was validated",
            "look at it with `graph-platform mapping show`, then try again",
        )
    _insert_version(session, mapping.id, version, definition, columns, change_description, by)
    note(session, Entity.MAPPING, mapping.id, "updated", by=by, details={"version": version})
    return get_mapping(session, mapping.id)


def _insert_version(
    session: Session,
    identifier: str,
    version: int,
    definition: Mapping[str, Any],
    columns: Sequence[Mapping[str, Any]],
    change: str,
    by: Attribution,
) -> None:
    session.execute(
        insert(mapping_versions).values(
            mapping_id=identifier,
            version=version,
            definition=dict(definition),
            columns=[dict(each) for each in columns],
            change_description=change,
            created_by=by.user,
        )
    )


def delete_mapping(session: Session, mapping: MappingRecord, *, by: Attribution) -> None:
    """Delete a mapping that nothing depends on.

    Raises:
        PlatformError: RESOURCE_HAS_DEPENDENCIES with the snapshots that do, INVALID_STATE.
    """
    # The row's lock keeps a snapshot from being born between the look and the write: its creation locks it too.
    session.execute(select(mappings.c.id).where(mappings.c.id == mapping.id).with_for_update())
    living = session.execute(
        select(snapshots.c.id, snapshots.c.name)
        .where(snapshots.c.mapping_id == mapping.id, snapshots.c.status != "deleted")
        .order_by(snapshots.c.created_at)
    ).all()
    if living:
        shown = ", ".join(row.name or row.id for row in living[:10])
        shown += f" and {len(living) - 10} more" if len(living) > 10 else ""
        raise PlatformError(
            ErrorCode.RESOURCE_HAS_DEPENDENCIES,
            f"mapping {mapping.name!r} still has {len(living)} snapshot(s): {shown}",
            f"delete these first with `graph-platform snapshot delete`, or with the mapping: "
            f"`graph-platform mapping delete {mapping.name} --with-snapshots`",
            {"snapshots": [row.id for row in living]},
        )
    this = mappings.c.id == mapping.id
    moved = transition(session, Entity.MAPPING, this, from_=[MappingStatus.ACTIVE], to=MappingStatus.DELETING, by=by)
    if not moved:
        raise PlatformError(ErrorCode.INVALID_STATE, f"mapping {mapping.name!r} is {mapping.status}, not active")
    transition(session, Entity.MAPPING, this, from_=[MappingStatus.DELETING], to=MappingStatus.DELETED, by=by)


def use_mapping(session: Session, mapping_id: str) -> None:
    """Stamp a use, and lock the row until the transaction ends: who makes a snapshot of it keeps it from going.

    Raises:
        PlatformError: INVALID_STATE if it is not active any more.
    """
    if not hold_for_use(session, Entity.MAPPING, mapping_id):
        raise PlatformError(ErrorCode.INVALID_STATE, f"mapping {mapping_id} is not active any more")
