CREATE TABLE customers (id bigint PRIMARY KEY);
CREATE TABLE orders (
    id bigint PRIMARY KEY,
    total integer,
    pieces integer,
    customer bigint,
    CONSTRAINT orders_customer_fkey FOREIGN KEY (customer) REFERENCES customers,
    CONSTRAINT total_positive CHECK (total > 0),
    CONSTRAINT pieces_positive CHECK (pieces > 0) NOT ENFORCED
);
