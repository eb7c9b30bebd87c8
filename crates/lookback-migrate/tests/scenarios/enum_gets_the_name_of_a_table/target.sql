CREATE TYPE kind AS ENUM ('a', 'b', 'c');
CREATE TYPE tone AS ENUM ('low', 'high');
CREATE TABLE kinds (id integer PRIMARY KEY, k kind DEFAULT 'c', t tone);
