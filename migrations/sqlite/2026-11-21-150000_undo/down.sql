DROP INDEX changesets_at;
DROP INDEX changesets_undoes_id;
ALTER TABLE changesets DROP COLUMN undoes_id;
