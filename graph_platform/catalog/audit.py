"""The audit, read."""

from __future__ import annotations

from sqlalchemy import select

from graph_platform.catalog.records import AuditEvent
from graph_platform.catalog.tables import audit_events
from graph_platform.catalog.transition import Session


def list_events(session: Session, entity_id: str) -> list[AuditEvent]:
    """Everything that happened to an entity, oldest first."""
    rows = session.execute(
        select(audit_events).where(audit_events.c.entity_id == entity_id).order_by(audit_events.c.id)
    )
    return [
        AuditEvent(
            row.at,
            row.entity,
            row.entity_id,
            row.action,
            row.from_status,
            row.to_status,
            row.attempt,
            row.actor,
            row.run_id,
            row.reason,
            row.details,
        )
        for row in rows
    ]
