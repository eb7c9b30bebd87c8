-- file: change
-- may fail on existing rows: later changes of rows that break it, until they are repaired
ALTER TABLE logs ADD CONSTRAINT logs_a__fits CHECK (char_length(a) <= 5) NOT VALID;

-- file: change_validate
-- may fail on existing rows: rows that break it; nothing is changed then: repair them and run this again
ALTER TABLE logs VALIDATE CONSTRAINT logs_a__fits;

-- file: change_finish
-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
-- may fail on existing rows: values of logs.a that cannot be converted to character varying(5)
ALTER TABLE logs ALTER COLUMN a TYPE character varying(5);

ALTER TABLE logs DROP CONSTRAINT logs_a__fits;
