"""The catalog: installation, mappings, snapshots, export jobs, instances, the audit, and the rule that guards status.

Revision ID: 0001
"""

from __future__ import annotations

from alembic import op

from graph_platform.catalog.ids import new_id

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE graph_platform.installation (
    id text PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    clock_offset interval NOT NULL DEFAULT '0',
    singleton boolean NOT NULL DEFAULT true UNIQUE CHECK (singleton)
);

-- A row for each migration: the oldest code that may still use what it made, as the number of the newest migration that
-- this code knows. A migration that changes what older code relies on writes its own number; one that only adds may write
-- that of the one before.
CREATE TABLE graph_platform.catalog_versions (
    version text PRIMARY KEY,
    oldest_code text NOT NULL CHECK (oldest_code <= version),
    migrated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- The one clock. The offset is for tests and simulations: it moves the platform's time for every process at once.
CREATE FUNCTION graph_platform.clock() RETURNS timestamptz LANGUAGE sql VOLATILE AS
    'SELECT clock_timestamp() + (SELECT clock_offset FROM graph_platform.installation)';

CREATE TABLE graph_platform.status_transitions (
    entity text NOT NULL,
    from_status text NOT NULL,
    to_status text NOT NULL,
    PRIMARY KEY (entity, from_status, to_status)
);

CREATE TABLE graph_platform.audit_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT graph_platform.clock(),
    entity text NOT NULL,
    entity_id text NOT NULL,
    action text NOT NULL,
    from_status text,
    to_status text,
    revision integer,
    attempt integer,
    actor text NOT NULL,
    run_id text,
    reason text,
    details jsonb,
    transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(),
    CHECK ((revision IS NULL) = (to_status IS NULL) AND (revision IS NULL) = (from_status IS NULL))
);
CREATE UNIQUE INDEX audit_events_one_per_transition ON graph_platform.audit_events (entity, entity_id, revision)
    WHERE revision IS NOT NULL;
CREATE INDEX audit_events_of_entity ON graph_platform.audit_events (entity, entity_id, id);

CREATE TABLE graph_platform.mappings (
    id text PRIMARY KEY,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    owner text NOT NULL,
    status text NOT NULL,
    revision integer NOT NULL,
    current_version integer NOT NULL CHECK (current_version >= 1),
    ttl interval,
    inactivity_timeout interval,
    created_at timestamptz NOT NULL DEFAULT graph_platform.clock(),
    updated_at timestamptz NOT NULL DEFAULT graph_platform.clock(),
    last_used_at timestamptz NOT NULL DEFAULT graph_platform.clock()
);
CREATE UNIQUE INDEX mappings_living_name ON graph_platform.mappings (name) WHERE status <> 'deleted';

CREATE TABLE graph_platform.mapping_versions (
    mapping_id text NOT NULL REFERENCES graph_platform.mappings (id),
    version integer NOT NULL CHECK (version >= 1),
    definition jsonb NOT NULL,
    columns jsonb NOT NULL,
    change_description text NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT graph_platform.clock(),
    PRIMARY KEY (mapping_id, version)
);

CREATE TABLE graph_platform.snapshots (
    id text PRIMARY KEY,
    mapping_id text NOT NULL,
    mapping_version integer NOT NULL,
    name text,
    owner text NOT NULL,
    status text NOT NULL,
    revision integer NOT NULL,
    attempt integer NOT NULL CHECK (attempt >= 1),
    export_round integer NOT NULL CHECK (export_round >= 1),
    storage_url text NOT NULL,
    folder text NOT NULL,
    manifest_key text,
    database_bytes bigint,
    engine text NOT NULL,
    data_checks text NOT NULL CHECK (data_checks IN ('trusted', 'sampled', 'enforced')),
    lease_owner text,
    lease_expires_at timestamptz,
    run_id text,
    error jsonb,
    ttl interval,
    inactivity_timeout interval,
    created_at timestamptz NOT NULL DEFAULT graph_platform.clock(),
    ready_at timestamptz,
    last_used_at timestamptz NOT NULL DEFAULT graph_platform.clock(),
    FOREIGN KEY (mapping_id, mapping_version) REFERENCES graph_platform.mapping_versions (mapping_id, version),
    CHECK (status <> 'ready' OR (manifest_key IS NOT NULL AND ready_at IS NOT NULL)),
    CHECK ((status = 'creating') = (lease_owner IS NOT NULL)),
    CHECK ((lease_owner IS NULL) = (lease_expires_at IS NULL))
);
CREATE UNIQUE INDEX snapshots_living_name ON graph_platform.snapshots (mapping_id, mapping_version, name)
    WHERE status NOT IN ('cancelled', 'deleting', 'deleted');
CREATE INDEX snapshots_of_mapping ON graph_platform.snapshots (mapping_id, mapping_version);
CREATE INDEX snapshots_living ON graph_platform.snapshots (status, lease_expires_at) WHERE status <> 'deleted';

CREATE TABLE graph_platform.export_jobs (
    id text PRIMARY KEY,
    snapshot_id text NOT NULL REFERENCES graph_platform.snapshots (id),
    export_round integer NOT NULL CHECK (export_round >= 1),
    ordinal integer NOT NULL,
    kind text NOT NULL CHECK (kind IN ('node', 'edge')),
    name text NOT NULL,
    sql text NOT NULL,
    status text NOT NULL,
    revision integer NOT NULL,
    attempt integer NOT NULL CHECK (attempt >= 1),
    query_id text,
    query_state text,
    lease_owner text,
    lease_expires_at timestamptz,
    rows bigint,
    bytes bigint,
    seconds double precision,
    error jsonb,
    UNIQUE (snapshot_id, export_round, kind, name),
    CHECK (status <> 'completed' OR (rows IS NOT NULL AND bytes IS NOT NULL)),
    CHECK ((status IN ('claimed', 'submitted')) = (lease_owner IS NOT NULL)),
    CHECK ((lease_owner IS NULL) = (lease_expires_at IS NULL)),
    CHECK (status <> 'submitted' OR query_id IS NOT NULL)
);
CREATE INDEX export_jobs_unfinished ON graph_platform.export_jobs (snapshot_id, status)
    WHERE status IN ('pending', 'claimed', 'submitted');

CREATE TABLE graph_platform.instances (
    id text PRIMARY KEY,
    snapshot_id text NOT NULL REFERENCES graph_platform.snapshots (id),
    name text,
    owner text NOT NULL,
    status text NOT NULL,
    revision integer NOT NULL,
    attempt integer NOT NULL CHECK (attempt >= 1),
    engine text NOT NULL,
    runtime text NOT NULL,
    url text,
    run_id text,
    error jsonb,
    ttl interval,
    inactivity_timeout interval,
    created_at timestamptz NOT NULL DEFAULT graph_platform.clock(),
    started_at timestamptz,
    expires_at timestamptz,
    last_activity_at timestamptz NOT NULL DEFAULT graph_platform.clock(),
    CHECK (status <> 'running' OR (url IS NOT NULL AND started_at IS NOT NULL))
);
CREATE UNIQUE INDEX instances_living_name ON graph_platform.instances (name)
    WHERE status NOT IN ('failed', 'stopping', 'terminated');
CREATE INDEX instances_of_snapshot ON graph_platform.instances (snapshot_id);
CREATE INDEX instances_living ON graph_platform.instances (owner, status) WHERE status <> 'terminated';
"""

RULES = """
CREATE FUNCTION graph_platform.guard_status() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    entity_name text := TG_ARGV[0];
    before text := '';
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a % is never deleted: its last status is kept with its audit', entity_name
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF NEW.id <> OLD.id THEN
            RAISE EXCEPTION '% % keeps its id', entity_name, OLD.id USING ERRCODE = 'restrict_violation';
        END IF;
        IF NEW.status = OLD.status THEN
            IF NEW.revision <> OLD.revision THEN
                RAISE EXCEPTION '% %: the revision counts transitions and nothing else', entity_name, OLD.id
                    USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NEW;
        END IF;
        before := OLD.status;
        IF NEW.revision <> OLD.revision + 1 THEN
            RAISE EXCEPTION '% % can go from % to % only through the compare-and-set that counts its revision',
                entity_name, OLD.id, OLD.status, NEW.status USING ERRCODE = 'restrict_violation';
        END IF;
    ELSIF NEW.revision <> 1 THEN
        RAISE EXCEPTION '% %: the first revision is 1', entity_name, NEW.id USING ERRCODE = 'restrict_violation';
    END IF;
    IF NOT EXISTS (
        SELECT FROM graph_platform.status_transitions
        WHERE entity = entity_name AND from_status = before AND to_status = NEW.status
    ) THEN
        RAISE EXCEPTION '% % can not go from "%" to "%"', entity_name, NEW.id, before, NEW.status
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION graph_platform.require_audit() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before text := '';
BEGIN
    IF TG_OP = 'UPDATE' THEN
        before := OLD.status;
    END IF;
    IF NOT EXISTS (
        SELECT FROM graph_platform.audit_events
        WHERE entity = TG_ARGV[0] AND entity_id = NEW.id AND revision = NEW.revision
            AND from_status = before AND to_status = NEW.status AND transaction_id = pg_current_xact_id()
    ) THEN
        RAISE EXCEPTION '% % went from "%" to "%" without an audit event in the same transaction',
            TG_ARGV[0], NEW.id, before, NEW.status USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION graph_platform.require_transition() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    reached integer;
BEGIN
    EXECUTE format('SELECT revision FROM graph_platform.%I WHERE id = $1', NEW.entity || 's')
        INTO reached USING NEW.entity_id;
    IF reached IS NULL OR reached < NEW.revision THEN
        RAISE EXCEPTION 'an audit event tells of a transition of % % that did not happen', NEW.entity, NEW.entity_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION graph_platform.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is written once and never changed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

CREATE CONSTRAINT TRIGGER audit_tells_the_truth AFTER INSERT ON graph_platform.audit_events
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.revision IS NOT NULL)
    EXECUTE FUNCTION graph_platform.require_transition();
"""

ENTITY_RULES = """
CREATE TRIGGER guard_status BEFORE INSERT OR UPDATE OR DELETE ON graph_platform.{table}
    FOR EACH ROW EXECUTE FUNCTION graph_platform.guard_status('{entity}');
CREATE CONSTRAINT TRIGGER audit_of_creation AFTER INSERT ON graph_platform.{table}
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION graph_platform.require_audit('{entity}');
CREATE CONSTRAINT TRIGGER audit_of_transition AFTER UPDATE ON graph_platform.{table}
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status)
    EXECUTE FUNCTION graph_platform.require_audit('{entity}');
CREATE TRIGGER keep_rows BEFORE TRUNCATE ON graph_platform.{table}
    FOR EACH STATEMENT EXECUTE FUNCTION graph_platform.refuse_change();
"""

IMMUTABLE_RULES = """
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE ON graph_platform.{table}
    FOR EACH ROW EXECUTE FUNCTION graph_platform.refuse_change();
CREATE TRIGGER keep_rows BEFORE TRUNCATE ON graph_platform.{table}
    FOR EACH STATEMENT EXECUTE FUNCTION graph_platform.refuse_change();
"""

# Written out and not imported from `states`: a migration says what was true when it was written.
LIVING_INSTANCE = ("waiting_for_snapshot", "starting", "running", "suspending", "suspended", "resuming")
TRANSITIONS = [
    ("mapping", "", "active"),
    ("mapping", "active", "deleting"),
    ("mapping", "deleting", "deleted"),
    ("snapshot", "", "pending"),
    ("snapshot", "pending", "creating"),
    ("snapshot", "pending", "cancelled"),
    ("snapshot", "creating", "ready"),
    ("snapshot", "creating", "failed"),
    ("snapshot", "creating", "cancelled"),
    ("snapshot", "failed", "pending"),
    ("snapshot", "failed", "deleting"),
    ("snapshot", "ready", "deleting"),
    ("snapshot", "cancelled", "deleting"),
    ("snapshot", "deleting", "deleted"),
    ("export_job", "", "pending"),
    ("export_job", "pending", "claimed"),
    ("export_job", "pending", "cancelled"),
    ("export_job", "claimed", "submitted"),
    ("export_job", "claimed", "pending"),
    ("export_job", "claimed", "failed"),
    ("export_job", "claimed", "cancelled"),
    ("export_job", "submitted", "completed"),
    ("export_job", "submitted", "failed"),
    ("export_job", "submitted", "cancelled"),
    ("export_job", "submitted", "pending"),
    ("export_job", "failed", "pending"),
    ("instance", "", "waiting_for_snapshot"),
    ("instance", "", "starting"),
    ("instance", "waiting_for_snapshot", "starting"),
    ("instance", "starting", "running"),
    ("instance", "running", "suspending"),
    ("instance", "suspending", "suspended"),
    ("instance", "suspended", "resuming"),
    ("instance", "resuming", "running"),
    ("instance", "failed", "stopping"),
    ("instance", "stopping", "terminated"),
    *[("instance", before, after) for before in LIVING_INSTANCE for after in ("failed", "stopping")],
]


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(RULES)
    for entity in ("mapping", "snapshot", "export_job", "instance"):
        op.execute(ENTITY_RULES.format(entity=entity, table=f"{entity}s"))
    for table in ("audit_events", "mapping_versions"):
        op.execute(IMMUTABLE_RULES.format(table=table))
    rows = ", ".join(f"('{entity}', '{before}', '{after}')" for entity, before, after in TRANSITIONS)
    op.execute(f"INSERT INTO graph_platform.status_transitions VALUES {rows}")
    op.execute(f"INSERT INTO graph_platform.catalog_versions VALUES ('{revision}', '{revision}')")
    op.execute(f"INSERT INTO graph_platform.installation (id) VALUES ('{new_id('gp')}')")


def downgrade() -> None:
    raise RuntimeError("the first migration has nothing before it: drop the database to start afresh")
