CREATE TABLE orders (id bigint PRIMARY KEY, total bigint, double bigint GENERATED ALWAYS AS (total * 2) STORED);
