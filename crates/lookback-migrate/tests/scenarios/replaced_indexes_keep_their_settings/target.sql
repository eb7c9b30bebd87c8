CREATE TABLE tickets (
    id integer PRIMARY KEY,
    code text NOT NULL,
    place integer NOT NULL,
    note text,
    CONSTRAINT tickets_code_key UNIQUE (code, place)
);
CREATE UNIQUE INDEX tickets_place ON tickets (place) INCLUDE (note);
CREATE INDEX "tickets 100%" ON tickets (place, lower(note));
