-- file: change
ALTER TABLE b DROP CONSTRAINT b_a_fkey;

-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
ALTER TABLE a ALTER COLUMN id TYPE bigint;

-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
ALTER TABLE b ALTER COLUMN a TYPE bigint;

ALTER TABLE b ADD CONSTRAINT b_a_fkey FOREIGN KEY (a) REFERENCES a (id) NOT VALID;

-- file: change_validate
-- may fail on existing rows: rows that break it; nothing is changed then: repair them and run this again
ALTER TABLE b VALIDATE CONSTRAINT b_a_fkey;
