-- file: change_logs_email_key
-- no-transaction
-- may fail on existing rows: rows with the same key
CREATE UNIQUE INDEX CONCURRENTLY logs_email_key ON logs USING btree (email);

-- file: change_keys
ALTER TABLE logs ADD CONSTRAINT logs_email_key UNIQUE USING INDEX logs_email_key;
