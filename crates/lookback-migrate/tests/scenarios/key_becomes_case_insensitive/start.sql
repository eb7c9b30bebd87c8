CREATE EXTENSION IF NOT EXISTS citext;
CREATE TABLE members (
    id integer PRIMARY KEY,
    email text NOT NULL UNIQUE,
    joined timestamptz NOT NULL UNIQUE,
    nick text
);
CREATE UNIQUE INDEX members_nick ON members (nick);
