"""A snapshot's name is its own among all that live, whatever mapping and version they are of.

Where several lived under one name, the one that the name meant keeps it: a ready one before others, then the newest.
The others get their id behind it, so that nothing is lost and everything has a name by which it is found.

Revision ID: 0004
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

RENAME = """
UPDATE graph_platform.snapshots AS s SET name = s.name || '-' || s.id
FROM (
    SELECT id, row_number() OVER (PARTITION BY name ORDER BY (status = 'ready') DESC, created_at DESC, id) AS place
    FROM graph_platform.snapshots
    WHERE name IS NOT NULL AND status NOT IN ('cancelled', 'deleting', 'deleted')
) AS meant
WHERE meant.id = s.id AND meant.place > 1;
"""

UNIQUE = """
DROP INDEX graph_platform.snapshots_living_name;
CREATE UNIQUE INDEX snapshots_living_name ON graph_platform.snapshots (name)
    WHERE status NOT IN ('cancelled', 'deleting', 'deleted');
"""


def upgrade() -> None:
    op.execute(RENAME)
    op.execute(UNIQUE)
    # Older code takes the index's refusal for a defect.
    op.execute(f"INSERT INTO graph_platform.catalog_versions VALUES ('{revision}', '{revision}')")


def downgrade() -> None:
    op.execute("DROP INDEX graph_platform.snapshots_living_name")
    op.execute(
        "CREATE UNIQUE INDEX snapshots_living_name ON graph_platform.snapshots (mapping_id, mapping_version, name) "
        "WHERE status NOT IN ('cancelled', 'deleting', 'deleted')"
    )
    op.execute(f"DELETE FROM graph_platform.catalog_versions WHERE version = '{revision}'")
