"""Instances are leased while they start, so that a start that is slow is told from one whose run is dead.

A start that is under way in a catalog of the version before has no owner, and so is anybody's to go on with: its run is
of code that may not use the catalog any more.

Revision ID: 0002
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

LEASE = """
ALTER TABLE graph_platform.instances
    ADD COLUMN lease_owner text,
    ADD COLUMN lease_expires_at timestamptz,
    ADD CONSTRAINT instances_lease_is_whole CHECK ((lease_owner IS NULL) = (lease_expires_at IS NULL)),
    ADD CONSTRAINT instances_leased_while_starting CHECK (lease_owner IS NULL OR status IN ('starting', 'resuming'));
"""


def upgrade() -> None:
    op.execute(LEASE)
    # Older code would leave the lease on a row that it moves on.
    op.execute(f"INSERT INTO graph_platform.catalog_versions VALUES ('{revision}', '{revision}')")


def downgrade() -> None:
    op.execute("ALTER TABLE graph_platform.instances DROP COLUMN lease_owner, DROP COLUMN lease_expires_at")
    op.execute(f"DELETE FROM graph_platform.catalog_versions WHERE version = '{revision}'")
