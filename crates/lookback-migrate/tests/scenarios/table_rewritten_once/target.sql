CREATE TABLE readings (
    id bigserial PRIMARY KEY,
    a bigint NOT NULL DEFAULT 1,
    b numeric DEFAULT 2,
    c text NOT NULL,
    d integer,
    e text,
    f integer,
    g smallint,
    token uuid NOT NULL DEFAULT gen_random_uuid(),
    seen timestamptz DEFAULT now(),
    twice bigint GENERATED ALWAYS AS (a * 2) STORED,
    more bigint GENERATED ALWAYS AS (a + d) STORED
);
CREATE TABLE other (id bigint PRIMARY KEY, a integer);
CREATE TABLE third (id integer PRIMARY KEY, a integer, b smallint NOT NULL DEFAULT 7, c text NOT NULL);
