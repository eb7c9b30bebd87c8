CREATE TABLE sales (id bigint PRIMARY KEY, price integer, twice bigint GENERATED ALWAYS AS (price::bigint * 2) STORED);
