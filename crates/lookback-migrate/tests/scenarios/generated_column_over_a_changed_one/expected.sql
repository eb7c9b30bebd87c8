-- file: change
ALTER TABLE a DROP COLUMN y;

-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
ALTER TABLE a
    ALTER COLUMN x TYPE bigint,
    ADD COLUMN y bigint GENERATED ALWAYS AS (x * 3) STORED;
