-- The answers of POSTs that carried an Idempotency-Key, each written in the transaction of its effect. `id` names
-- the caller, the route and the key; `request` is a keyed hash of the query and the body. Without a status the act
-- takes several transactions and is under way. Bodies are encrypted: some show a secret once.
CREATE TABLE idempotency_keys (
    id         TEXT PRIMARY KEY NOT NULL,
    request    TEXT   NOT NULL,
    status     INTEGER,
    headers    TEXT   NOT NULL,
    body       TEXT   NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);
