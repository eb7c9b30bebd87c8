-- file: change
ALTER TABLE orders DROP COLUMN double;

-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
-- may fail on existing rows: values of orders.total that cannot be converted to integer
ALTER TABLE orders
    ALTER COLUMN total TYPE integer,
    ADD COLUMN double bigint GENERATED ALWAYS AS (total * 2) STORED;
