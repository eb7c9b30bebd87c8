CREATE TABLE tickets (
    id integer PRIMARY KEY,
    code text NOT NULL,
    place integer NOT NULL,
    note text,
    CONSTRAINT tickets_code_key UNIQUE (code)
);
CREATE UNIQUE INDEX tickets_place ON tickets (place);
CREATE INDEX "tickets 100%" ON tickets (lower(note), place);
ALTER TABLE tickets REPLICA IDENTITY USING INDEX tickets_place;
ALTER TABLE tickets CLUSTER ON tickets_code_key;
COMMENT ON INDEX tickets_place IS 'the seller''s 100%';
COMMENT ON INDEX tickets_code_key IS 'an index';
COMMENT ON CONSTRAINT tickets_code_key ON tickets IS 'a key';
ALTER INDEX "tickets 100%" ALTER COLUMN 1 SET STATISTICS 500;
