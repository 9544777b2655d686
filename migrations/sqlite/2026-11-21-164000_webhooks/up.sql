-- Who is told of changes, and where. The signing secrets are encrypted; the one before is good until
-- `previous_until`. `failing_since` is when the endpoint began to fail.
CREATE TABLE webhooks (
    id              INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    url             TEXT    NOT NULL,
    events          TEXT    NOT NULL,
    description     TEXT,
    is_active       BOOLEAN NOT NULL CHECK (is_active IN (0, 1)),
    secret          TEXT    NOT NULL,
    previous_secret TEXT,
    previous_until  BIGINT,
    failing_since   BIGINT,
    disabled_reason TEXT,
    version         BIGINT  NOT NULL,
    created_at      BIGINT  NOT NULL,
    updated_at      BIGINT  NOT NULL
);
CREATE INDEX webhooks_active ON webhooks (id) WHERE is_active;

-- Changes that were made while there was an active webhook, and that are not yet deliveries: of a changeset
-- those from `from_seq` to `to_seq`. Written in the transaction of the changes.
CREATE TABLE fan_outs (
    id           INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    changeset_id BIGINT  NOT NULL,
    from_seq     INTEGER NOT NULL,
    to_seq       INTEGER NOT NULL,
    at           BIGINT  NOT NULL
);

-- One event for one webhook. `next_at` is when it is tried next and is absent when it is settled; while
-- `lease` says that somebody works on it, it is when it is given to another.
CREATE TABLE deliveries (
    id              INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    webhook_id      BIGINT  NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event_id        TEXT    NOT NULL,
    event           TEXT    NOT NULL,
    payload         TEXT    NOT NULL,
    state           TEXT    NOT NULL,
    attempts        INTEGER NOT NULL,
    next_at         BIGINT,
    lease           TEXT,
    status          INTEGER,
    error           TEXT,
    duration_ms     INTEGER,
    response        TEXT,
    last_attempt_at BIGINT,
    created_at      BIGINT  NOT NULL
);
CREATE INDEX deliveries_due ON deliveries (webhook_id, next_at, id) WHERE next_at IS NOT NULL;
CREATE INDEX deliveries_of ON deliveries (webhook_id, id);
CREATE INDEX deliveries_old ON deliveries (created_at, id) WHERE next_at IS NULL;
