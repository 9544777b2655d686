-- The durable queue: what must happen because of a write, recorded in the same transaction. What is done is
-- removed; what failed too often is parked with its error. `run_at` is when it is due, or, while `lease` says
-- that somebody works on it, when it is given to another.
CREATE TABLE jobs (
    id         INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    kind       TEXT    NOT NULL,
    payload    TEXT    NOT NULL,
    attempts   INTEGER NOT NULL,
    run_at     BIGINT  NOT NULL,
    lease      TEXT,
    error      TEXT,
    parked_at  BIGINT,
    created_at BIGINT  NOT NULL
);
CREATE INDEX jobs_due ON jobs (run_at, id) WHERE parked_at IS NULL;
CREATE INDEX jobs_parked ON jobs (parked_at, id) WHERE parked_at IS NOT NULL;
