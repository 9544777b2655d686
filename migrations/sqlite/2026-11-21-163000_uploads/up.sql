-- Uploads. The file lies in the storage under `key`, which nobody but the database knows. `thumbnail` is the media
-- type of its small picture: NULL until it was made, empty if there can be none.
CREATE TABLE uploads (
    id           INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    key          TEXT   NOT NULL,
    filename     TEXT   NOT NULL,
    content_type TEXT   NOT NULL,
    size         BIGINT NOT NULL CHECK (size > 0),
    sha256       TEXT   NOT NULL,
    owner_id     BIGINT NOT NULL REFERENCES users (id),
    thumbnail    TEXT,
    version      BIGINT NOT NULL,
    created_at   BIGINT NOT NULL
);
CREATE UNIQUE INDEX uploads_key_unique ON uploads (key);
CREATE INDEX uploads_filename ON uploads (filename, id);
CREATE INDEX uploads_size ON uploads (size, id);
-- With the size, so that a quota is checked from the index alone.
CREATE INDEX uploads_owner_id ON uploads (owner_id, id, size);
