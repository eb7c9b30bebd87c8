CREATE TABLE sales (id bigint PRIMARY KEY, price smallint, twice bigint);
