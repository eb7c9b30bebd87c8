CREATE TYPE seats AS ENUM ('a', 'b');
CREATE TYPE colour AS ENUM ('red');
CREATE TABLE rooms (
    id integer PRIMARY KEY, x integer, y integer, tone colour, seat seats,
    CONSTRAINT given UNIQUE (x)
);
CREATE INDEX left_of ON rooms (x);
CREATE INDEX right_of ON rooms (y DESC);
CREATE INDEX hall ON rooms (x, y);
CREATE TABLE doors (id integer PRIMARY KEY, x integer, y integer, CONSTRAINT kept UNIQUE (y));
CREATE INDEX moved ON doors (x);
CREATE TABLE tone (id integer PRIMARY KEY);
