CREATE TABLE spare (id serial PRIMARY KEY, a text, CONSTRAINT spare_b_key UNIQUE (a));
CREATE INDEX spare_b ON spare (lower(a));
CREATE TABLE live (id serial PRIMARY KEY, b text, CONSTRAINT live_a_key UNIQUE (b));
CREATE INDEX live_a ON live (upper(b));
CREATE TABLE users (id integer PRIMARY KEY, live integer REFERENCES spare, spare integer REFERENCES live);
