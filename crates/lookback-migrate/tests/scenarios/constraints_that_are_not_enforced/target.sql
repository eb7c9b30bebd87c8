CREATE TABLE customers (id bigint PRIMARY KEY);
CREATE TABLE orders (
    id bigint PRIMARY KEY,
    total integer,
    pieces integer,
    customer bigint,
    parent bigint,
    CONSTRAINT orders_customer_fkey FOREIGN KEY (customer) REFERENCES customers NOT ENFORCED,
    CONSTRAINT orders_parent_fkey FOREIGN KEY (parent) REFERENCES orders ON DELETE SET NULL NOT ENFORCED,
    CONSTRAINT total_positive CHECK (total > 0) NOT ENFORCED,
    CONSTRAINT pieces_positive CHECK (pieces > 0)
);
