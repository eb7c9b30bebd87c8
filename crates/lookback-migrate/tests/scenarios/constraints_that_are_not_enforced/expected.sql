-- file: change
ALTER TABLE orders DROP CONSTRAINT orders_customer_fkey;

ALTER TABLE orders DROP CONSTRAINT pieces_positive;

ALTER TABLE orders DROP CONSTRAINT total_positive;

ALTER TABLE orders ADD COLUMN parent bigint;

-- may fail on existing rows: later changes of rows that break it, until they are repaired
ALTER TABLE orders ADD CONSTRAINT pieces_positive CHECK (pieces > 0) NOT VALID;

ALTER TABLE orders ADD CONSTRAINT total_positive CHECK (total > 0) NOT ENFORCED;

ALTER TABLE orders ADD CONSTRAINT orders_customer_fkey FOREIGN KEY (customer) REFERENCES customers (id) NOT ENFORCED;

ALTER TABLE orders ADD CONSTRAINT orders_parent_fkey FOREIGN KEY (parent) REFERENCES orders (id) ON DELETE SET NULL NOT ENFORCED;

-- file: change_validate
-- may fail on existing rows: rows that break it; nothing is changed then: repair them and run this again
ALTER TABLE orders VALIDATE CONSTRAINT pieces_positive;
