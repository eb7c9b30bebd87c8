-- file: change_users_email_key_new
-- no-transaction
-- may fail on existing rows: rows with the same key
CREATE UNIQUE INDEX CONCURRENTLY users_email_key__new ON users USING btree (tenant, email);

-- file: change_keys
ALTER TABLE users DROP CONSTRAINT users_email_key;

ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE USING INDEX users_email_key__new;
