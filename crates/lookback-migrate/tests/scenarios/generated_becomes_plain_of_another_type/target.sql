CREATE TABLE sales (id bigint PRIMARY KEY, price integer, twice integer);
