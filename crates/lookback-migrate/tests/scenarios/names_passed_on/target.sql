CREATE TYPE tone AS ENUM ('red');
CREATE TABLE rooms (
    id integer PRIMARY KEY, x integer, y integer, tone tone, seat text,
    CONSTRAINT kept UNIQUE (x)
);
CREATE INDEX right_of ON rooms (x);
CREATE INDEX left_of ON rooms (y DESC);
CREATE INDEX moved ON rooms (x, y);
CREATE TABLE doors (id integer PRIMARY KEY, x integer, y integer, CONSTRAINT given CHECK (y > 0));
CREATE INDEX kept_x ON doors (x);
CREATE TABLE hall (id integer PRIMARY KEY);
CREATE TABLE seats (id integer PRIMARY KEY, CONSTRAINT colour CHECK (id > 0));
CREATE INDEX colour ON seats (id DESC);
