-- file: change
ALTER TABLE letters DROP CONSTRAINT letters_email_fkey;

DROP INDEX users_email_idx;

-- file: change_users_email_idx
-- no-transaction
-- may fail on existing rows: rows with the same key
CREATE UNIQUE INDEX CONCURRENTLY users_email_idx ON users USING btree (email DESC);

-- file: change_keys
ALTER TABLE letters ADD CONSTRAINT letters_email_fkey FOREIGN KEY (email) REFERENCES users (email) NOT VALID;

-- file: change_validate
-- may fail on existing rows: rows that break it; nothing is changed then: repair them and run this again
ALTER TABLE letters VALIDATE CONSTRAINT letters_email_fkey;
