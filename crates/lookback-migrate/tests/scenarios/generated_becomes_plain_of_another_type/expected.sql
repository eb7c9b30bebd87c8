-- file: change
ALTER TABLE sales ALTER COLUMN twice DROP EXPRESSION;

-- may fail on existing rows: later changes of rows that break it, until they are repaired
ALTER TABLE sales ADD CONSTRAINT sales_twice__fits CHECK (twice BETWEEN -2147483648 AND 2147483647) NOT VALID;

-- file: change_validate
-- may fail on existing rows: rows that break it; nothing is changed then: repair them and run this again
ALTER TABLE sales VALIDATE CONSTRAINT sales_twice__fits;

-- file: change_finish
-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
-- may fail on existing rows: values of sales.twice that cannot be converted to integer
ALTER TABLE sales ALTER COLUMN twice TYPE integer;

ALTER TABLE sales DROP CONSTRAINT sales_twice__fits;
