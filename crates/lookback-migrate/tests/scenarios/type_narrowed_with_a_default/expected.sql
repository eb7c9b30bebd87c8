-- file: change
-- may fail on existing rows: later changes of rows that break it, until they are repaired
ALTER TABLE orders ADD CONSTRAINT orders_total__fits CHECK (total BETWEEN -2147483648 AND 2147483647) NOT VALID;

-- file: change_validate
-- may fail on existing rows: rows that break it; nothing is changed then: repair them and run this again
ALTER TABLE orders VALIDATE CONSTRAINT orders_total__fits;

-- file: change_finish
-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
-- may fail on existing rows: values of orders.total that cannot be converted to integer
ALTER TABLE orders ALTER COLUMN total TYPE integer;

ALTER TABLE orders DROP CONSTRAINT orders_total__fits;

ALTER TABLE orders ALTER COLUMN total SET DEFAULT 3;
