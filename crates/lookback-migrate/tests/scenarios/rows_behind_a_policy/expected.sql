-- file: change
ALTER TABLE logs RENAME TO logs__old;

CREATE TABLE logs (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    source text
) PARTITION BY RANGE (id);
CREATE TABLE logs_default PARTITION OF logs DEFAULT;

-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
-- may fail on existing rows: rows that belong to no partition
-- LOSES DATA: what no model has of logs: its triggers, grants and policies
SET LOCAL row_security = off;
INSERT INTO logs (id, source) OVERRIDING SYSTEM VALUE SELECT id, source FROM logs__old;
SELECT setval(pg_get_serial_sequence('logs', 'id'), greatest(coalesce(max(id), 0), coalesce(pg_sequence_last_value(pg_get_serial_sequence('logs__old', 'id')::regclass), 0)) + 1, false) FROM logs;
DROP TABLE logs__old;
