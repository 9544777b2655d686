-- Refresh tokens, each good for one use; those that came one from the other are a family, and one that is used
-- twice ends its whole family. Kept as SHA-256, so that a copy of the database opens no door.
CREATE TABLE refresh_tokens (
    id                  INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    family              TEXT   NOT NULL,
    user_id             BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    token_hash          TEXT   NOT NULL,
    credentials_version BIGINT NOT NULL,
    created_at          BIGINT NOT NULL,
    expires_at          BIGINT NOT NULL,
    used_at             BIGINT,
    revoked_at          BIGINT
);
CREATE UNIQUE INDEX refresh_tokens_token_hash_unique ON refresh_tokens (token_hash);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family);
CREATE INDEX refresh_tokens_user_id ON refresh_tokens (user_id);
CREATE INDEX refresh_tokens_expires_at ON refresh_tokens (expires_at);
