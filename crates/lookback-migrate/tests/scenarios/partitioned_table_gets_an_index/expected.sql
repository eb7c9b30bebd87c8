-- file: change
-- locks the table: SHARE (no writes) while the index is built
CREATE INDEX logs_a_idx ON logs USING btree (a);
