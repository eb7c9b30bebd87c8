-- file: change
-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
-- may fail on existing rows: values of logs.e that cannot be converted to vector(4)
ALTER TABLE logs ALTER COLUMN e TYPE vector(4);
