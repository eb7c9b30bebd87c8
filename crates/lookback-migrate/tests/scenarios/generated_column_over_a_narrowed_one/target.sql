CREATE TABLE orders (id bigint PRIMARY KEY, total integer, double bigint GENERATED ALWAYS AS (total * 2) STORED);
