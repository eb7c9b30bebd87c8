-- file: change
ALTER TABLE sales ALTER COLUMN twice DROP EXPRESSION;

-- may fail on existing rows: later changes of rows that break it, until they are repaired
ALTER TABLE sales ADD CONSTRAINT sales_price__fits CHECK (price BETWEEN -32768 AND 32767) NOT VALID;

-- file: change_validate
-- may fail on existing rows: rows that break it; nothing is changed then: repair them and run this again
ALTER TABLE sales VALIDATE CONSTRAINT sales_price__fits;

-- file: change_finish
-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
-- may fail on existing rows: values of sales.price that cannot be converted to smallint
ALTER TABLE sales ALTER COLUMN price TYPE smallint;

ALTER TABLE sales DROP CONSTRAINT sales_price__fits;
