CREATE EXTENSION IF NOT EXISTS citext;
CREATE TABLE members (
    id integer PRIMARY KEY,
    email citext NOT NULL UNIQUE,
    joined date NOT NULL UNIQUE,
    nick citext
);
CREATE UNIQUE INDEX members_nick ON members (nick);
