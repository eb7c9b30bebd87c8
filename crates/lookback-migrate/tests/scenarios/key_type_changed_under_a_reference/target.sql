CREATE TABLE a (id bigint PRIMARY KEY);
CREATE TABLE b (a bigint REFERENCES a (id));
