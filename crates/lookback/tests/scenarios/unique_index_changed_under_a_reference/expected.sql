-- file: change
ALTER TABLE orders DROP CONSTRAINT orders_customer_fkey;

DROP INDEX customers_name_idx;

-- file: change_customers_name_idx
-- no-transaction
-- may fail on existing rows: rows with the same key
CREATE UNIQUE INDEX CONCURRENTLY customers_name_idx ON customers USING btree (name DESC);

-- file: change_keys
ALTER TABLE orders ADD CONSTRAINT orders_customer_fkey FOREIGN KEY (customer) REFERENCES customers (name) NOT VALID;

-- file: change_validate
-- may fail on existing rows: rows that break it; nothing is changed then: mend them and run this again
ALTER TABLE orders VALIDATE CONSTRAINT orders_customer_fkey;
