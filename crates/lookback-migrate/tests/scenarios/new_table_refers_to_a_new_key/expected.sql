-- file: change
CREATE TABLE letters (
    id bigint NOT NULL,
    email text,
    CONSTRAINT letters_pkey PRIMARY KEY (id)
);

-- file: change_users_email_key
-- no-transaction
-- may fail on existing rows: rows with the same key
CREATE UNIQUE INDEX CONCURRENTLY users_email_key ON users USING btree (email);

-- file: change_keys
ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE USING INDEX users_email_key;

ALTER TABLE letters ADD CONSTRAINT letters_email_fkey FOREIGN KEY (email) REFERENCES users (email);
