-- file: change
ALTER TABLE children DROP CONSTRAINT children_parent_fkey;

-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
ALTER TABLE children
    ALTER COLUMN id TYPE bigint,
    ALTER COLUMN parent TYPE bigint;

-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
ALTER TABLE parents
    ALTER COLUMN id TYPE bigint,
    ALTER COLUMN small TYPE integer;

-- may fail on existing rows: later changes of rows that break it, until they are repaired
ALTER TABLE parents ADD CONSTRAINT parents_large__fits CHECK (large BETWEEN -2147483648 AND 2147483647) NOT VALID;

DO $alter$ BEGIN EXECUTE 'ALTER SEQUENCE ' || pg_get_serial_sequence('parents', 'id') || ' AS bigint'; END $alter$;

DO $alter$ BEGIN EXECUTE 'ALTER SEQUENCE ' || pg_get_serial_sequence('parents', 'small') || ' AS integer'; END $alter$;

-- file: change_validate
-- may fail on existing rows: rows that break it; nothing is changed then: repair them and run this again
ALTER TABLE parents VALIDATE CONSTRAINT parents_large__fits;

-- file: change_finish
-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
-- may fail on existing rows: values of parents.large that cannot be converted to integer
ALTER TABLE parents ALTER COLUMN large TYPE integer;

ALTER TABLE parents DROP CONSTRAINT parents_large__fits;

-- may fail on existing rows: a sequence of parents.large that is past the largest integer
DO $alter$ BEGIN EXECUTE 'ALTER SEQUENCE ' || pg_get_serial_sequence('parents', 'large') || ' AS integer'; END $alter$;

-- file: change_keys
ALTER TABLE children ADD CONSTRAINT children_parent_fkey FOREIGN KEY (parent) REFERENCES parents (id) NOT VALID;

-- file: change_validate
-- may fail on existing rows: rows that break it; nothing is changed then: repair them and run this again
ALTER TABLE children VALIDATE CONSTRAINT children_parent_fkey;
