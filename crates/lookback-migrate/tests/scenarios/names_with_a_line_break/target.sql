CREATE TABLE orders (id bigint PRIMARY KEY);
CREATE TABLE products (id bigint PRIMARY KEY);
