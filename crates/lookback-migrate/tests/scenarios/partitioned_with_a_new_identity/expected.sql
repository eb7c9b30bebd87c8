-- file: change
ALTER TABLE logs RENAME TO logs__old;

CREATE TABLE logs (
    a text,
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL
) PARTITION BY HASH (a);
CREATE TABLE logs_0 PARTITION OF logs FOR VALUES WITH (modulus 1, remainder 0);

-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
-- may fail on existing rows: rows that belong to no partition
-- LOSES DATA: what no model has of logs: its triggers, grants and policies
SET LOCAL row_security = off;
INSERT INTO logs (a) OVERRIDING SYSTEM VALUE SELECT a FROM logs__old;
SELECT setval(pg_get_serial_sequence('logs', 'id'), coalesce(max(id), 0) + 1, false) FROM logs;
DROP TABLE logs__old;
