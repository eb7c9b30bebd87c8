CREATE TABLE items (id bigint PRIMARY KEY, place integer);
