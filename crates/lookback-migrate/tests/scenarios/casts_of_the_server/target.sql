CREATE EXTENSION IF NOT EXISTS hstore;
CREATE EXTENSION IF NOT EXISTS vector;
CREATE TABLE parcels (
    id integer PRIMARY KEY,
    sent integer NOT NULL DEFAULT 0,
    opened bigint,
    price numeric(12,2),
    flags bigint,
    mask bit(32),
    switch boolean,
    labels jsonb,
    place double precision[],
    span int4multirange,
    kind regclass,
    weights vector(2),
    body jsonb,
    score uuid,
    tags text[],
    marks integer[]
);
