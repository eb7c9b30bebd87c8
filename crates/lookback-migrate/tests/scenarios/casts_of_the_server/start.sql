CREATE EXTENSION IF NOT EXISTS hstore;
CREATE EXTENSION IF NOT EXISTS vector;
CREATE TABLE parcels (
    id integer PRIMARY KEY,
    sent boolean NOT NULL DEFAULT false,
    opened boolean,
    price money,
    flags bit(12),
    mask integer,
    switch bit(1),
    labels hstore,
    place vector(3),
    span int4range,
    kind oid,
    weights integer[],
    body uuid,
    score jsonb,
    tags jsonb,
    marks json
);
