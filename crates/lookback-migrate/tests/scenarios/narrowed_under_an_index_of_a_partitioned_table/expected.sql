-- file: change
DROP INDEX logs_b_idx;

-- may fail on existing rows: later changes of rows that break it, until they are repaired
ALTER TABLE logs ADD CONSTRAINT logs_b__fits CHECK (b BETWEEN -2147483648 AND 2147483647) NOT VALID;

-- file: change_validate
-- may fail on existing rows: rows that break it; nothing is changed then: repair them and run this again
ALTER TABLE logs VALIDATE CONSTRAINT logs_b__fits;

-- file: change_finish
-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
-- may fail on existing rows: values of logs.b that cannot be converted to integer
ALTER TABLE logs ALTER COLUMN b TYPE integer;

ALTER TABLE logs DROP CONSTRAINT logs_b__fits;

-- locks the table: SHARE (no writes) while the index is built
CREATE INDEX logs_b_idx ON logs USING btree (abs(b), (b % 3) DESC);
