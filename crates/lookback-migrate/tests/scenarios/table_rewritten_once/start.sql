CREATE TABLE readings (
    id serial PRIMARY KEY,
    a integer NOT NULL DEFAULT 0,
    b integer,
    c text,
    d smallint,
    e jsonb NOT NULL,
    f bigint,
    g integer,
    twice integer GENERATED ALWAYS AS (a * 2) STORED
);
CREATE TABLE other (id integer PRIMARY KEY, a text);
CREATE TABLE third (id integer PRIMARY KEY, a bigint, b integer NOT NULL DEFAULT 7, c text);
