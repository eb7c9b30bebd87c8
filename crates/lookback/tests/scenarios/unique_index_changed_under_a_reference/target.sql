CREATE TABLE customers (name text NOT NULL);
CREATE UNIQUE INDEX customers_name_idx ON customers (name DESC);
CREATE TABLE orders (customer text CONSTRAINT orders_customer_fkey REFERENCES customers (name));
