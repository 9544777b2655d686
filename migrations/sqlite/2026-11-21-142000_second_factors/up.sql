-- Two-factor sign-in (RFC 6238). The secret is encrypted under a key that is derived from SECRET_KEY; until its
-- first right code came (confirmed_at) it asks nobody for anything. A step that was used is never used again.
CREATE TABLE second_factors (
    user_id      BIGINT PRIMARY KEY NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    secret       TEXT   NOT NULL,
    confirmed_at BIGINT,
    last_step    BIGINT NOT NULL,
    created_at   BIGINT NOT NULL
);

-- Recovery codes, each good for one use; kept as SHA-256, so that a copy of the database opens no door.
CREATE TABLE recovery_codes (
    id        INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    user_id   BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    code_hash TEXT   NOT NULL,
    used_at   BIGINT
);
CREATE UNIQUE INDEX recovery_codes_user_id_code_hash_unique ON recovery_codes (user_id, code_hash);
