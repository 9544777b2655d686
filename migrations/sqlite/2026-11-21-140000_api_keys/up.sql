-- API keys, kept as SHA-256, so that a copy of the database opens no door. They end, and are never deleted: a
-- changeset names the key that it was made with. That is why user_id refers to nothing: a key outlives its owner,
-- and without one it opens no door.
CREATE TABLE api_keys (
    id           INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    user_id      BIGINT NOT NULL,
    name         TEXT   NOT NULL,
    prefix       TEXT   NOT NULL,
    key_hash     TEXT   NOT NULL,
    scopes       TEXT   NOT NULL CHECK (scopes IN ('read', 'write', 'admin', 'read,write', 'read,admin', 'write,admin', 'read,write,admin')),
    expires_at   BIGINT NOT NULL,
    last_used_at BIGINT,
    revoked_at   BIGINT,
    version      BIGINT NOT NULL,
    created_at   BIGINT NOT NULL
);
CREATE UNIQUE INDEX api_keys_key_hash_unique ON api_keys (key_hash);
CREATE INDEX api_keys_user_id ON api_keys (user_id, id);

ALTER TABLE changesets ADD COLUMN api_key_id BIGINT;
