CREATE TABLE live (id serial PRIMARY KEY, a text, CONSTRAINT live_a_key UNIQUE (a));
CREATE INDEX live_a ON live (lower(a));
CREATE TABLE spare (id serial PRIMARY KEY, b text, CONSTRAINT spare_b_key UNIQUE (b));
CREATE INDEX spare_b ON spare (upper(b));
CREATE TABLE users (id integer PRIMARY KEY, live integer REFERENCES live, spare integer REFERENCES spare);
