-- Which changeset another one undid; and the log by time.
ALTER TABLE changesets ADD COLUMN undoes_id BIGINT;
CREATE INDEX changesets_undoes_id ON changesets (undoes_id) WHERE undoes_id IS NOT NULL;
CREATE INDEX changesets_at ON changesets (at, id);
