-- file: change_visits_pkey_new
-- no-transaction
-- may fail on existing rows: rows with the same key
CREATE UNIQUE INDEX CONCURRENTLY visits_pkey__new ON visits USING btree (id, day);

-- file: change_keys
ALTER TABLE visits DROP CONSTRAINT visits_pkey;

ALTER TABLE visits ADD CONSTRAINT visits_pkey PRIMARY KEY USING INDEX visits_pkey__new;
