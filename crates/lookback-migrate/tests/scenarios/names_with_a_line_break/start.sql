CREATE TABLE orders (id bigint PRIMARY KEY, "z
DELETE FROM products; --" text);
CREATE TABLE products (id bigint PRIMARY KEY);
