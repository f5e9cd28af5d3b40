"""When a life and an idleness end are columns, which Postgres fills, with an index that a sweep can ask.

A moment and an interval are added in UTC: that is immutable, as a generated column wants it, and the same whatever the
zone of a session. Months and years are added as the calendar has them.

Revision ID: 0003
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# A mapping that was kept without an inactivity timeout was left to the settings of whoever would have looked. Those are
# not known here, and what is not known does not end: its column stays NULL until its next version is kept.
MAPPINGS = """
ALTER TABLE graph_platform.mappings
    ADD life_ends_at timestamptz GENERATED ALWAYS AS
        (((created_at AT TIME ZONE 'UTC') + ttl) AT TIME ZONE 'UTC') STORED,
    ADD idle_ends_at timestamptz GENERATED ALWAYS AS
        (CASE WHEN status = 'active' THEN ((last_used_at AT TIME ZONE 'UTC') + inactivity_timeout) AT TIME ZONE 'UTC' END)
        STORED;
CREATE INDEX mappings_life_ends ON graph_platform.mappings (life_ends_at) WHERE status <> 'deleted';
CREATE INDEX mappings_idle_ends ON graph_platform.mappings (idle_ends_at) WHERE idle_ends_at IS NOT NULL;
"""

# What is not ready yet has no life that could end, and an attempt that died is reconciliation's.
SNAPSHOTS = """
ALTER TABLE graph_platform.snapshots
    ADD life_ends_at timestamptz GENERATED ALWAYS AS
        (((ready_at AT TIME ZONE 'UTC') + ttl) AT TIME ZONE 'UTC') STORED,
    ADD idle_ends_at timestamptz GENERATED ALWAYS AS
        (CASE WHEN status = 'ready' THEN ((last_used_at AT TIME ZONE 'UTC') + inactivity_timeout) AT TIME ZONE 'UTC' END)
        STORED;
CREATE INDEX snapshots_life_ends ON graph_platform.snapshots (life_ends_at) WHERE status <> 'deleted';
CREATE INDEX snapshots_idle_ends ON graph_platform.snapshots (idle_ends_at) WHERE idle_ends_at IS NOT NULL;
"""

# An extension can't set a generated column, so it adds to one beside it: days and time, for the months of the life are
# counted from its beginning. What was written until now was counted in the zone of a session, and stays as it was.
INSTANCES = """
ALTER TABLE graph_platform.instances ADD extended interval NOT NULL DEFAULT '0';
UPDATE graph_platform.instances
SET extended = (expires_at AT TIME ZONE 'UTC') - ((created_at AT TIME ZONE 'UTC') + ttl)
WHERE expires_at IS NOT NULL AND ttl IS NOT NULL;
ALTER TABLE graph_platform.instances
    DROP expires_at,
    ADD life_ends_at timestamptz GENERATED ALWAYS AS
        (((created_at AT TIME ZONE 'UTC') + ttl + extended) AT TIME ZONE 'UTC') STORED,
    ADD idle_ends_at timestamptz GENERATED ALWAYS AS
        (CASE WHEN status = 'running'
            THEN ((last_activity_at AT TIME ZONE 'UTC') + inactivity_timeout) AT TIME ZONE 'UTC' END) STORED;
CREATE INDEX instances_life_ends ON graph_platform.instances (life_ends_at) WHERE status <> 'terminated';
CREATE INDEX instances_idle_ends ON graph_platform.instances (idle_ends_at) WHERE idle_ends_at IS NOT NULL;
"""


def upgrade() -> None:
    for statements in (MAPPINGS, SNAPSHOTS, INSTANCES):
        op.execute(statements)
    op.execute(f"INSERT INTO graph_platform.catalog_versions VALUES ('{revision}', '{revision}')")


def downgrade() -> None:
    raise RuntimeError("the deadlines of a catalog are not taken out again: restore it from a backup")
