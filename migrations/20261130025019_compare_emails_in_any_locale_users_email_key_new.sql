-- no-transaction
-- may fail on existing rows: rows with the same key
CREATE UNIQUE INDEX CONCURRENTLY users_email_key__new ON users USING btree (lower(email COLLATE "C")) WHERE deleted_at IS NULL;
