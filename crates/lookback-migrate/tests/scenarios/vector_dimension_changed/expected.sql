-- file: change
-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
-- LOSES DATA: the values of logs.e
ALTER TABLE logs ALTER COLUMN e TYPE vector(4) USING NULL;
