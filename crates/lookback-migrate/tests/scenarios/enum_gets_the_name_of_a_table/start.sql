CREATE TYPE old_kind AS ENUM ('a', 'b');
CREATE TYPE old_tone AS ENUM ('low');
CREATE TABLE kind (id integer PRIMARY KEY, k old_kind, t old_tone);
CREATE TABLE kinds (id integer PRIMARY KEY);
CREATE TABLE tone (id integer PRIMARY KEY, kind integer REFERENCES kind);
