-- file: change
ALTER TABLE orders RENAME TO orders__old;

CREATE TABLE orders (
    new integer DEFAULT 7
) PARTITION BY HASH (new);
CREATE TABLE orders_0 PARTITION OF orders FOR VALUES WITH (modulus 1, remainder 0);

-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
-- may fail on existing rows: rows that belong to no partition
-- LOSES DATA: what no model has of orders: its triggers, grants and policies
SET LOCAL row_security = off;
INSERT INTO orders SELECT FROM orders__old;
DROP TABLE orders__old;
