-- file: change
ALTER TABLE logs DROP CONSTRAINT logs_pkey;

ALTER TABLE logs RENAME TO logs__old;

CREATE TABLE logs (
    id bigint NOT NULL,
    a text
) PARTITION BY RANGE (id);
CREATE TABLE logs_default PARTITION OF logs DEFAULT;

-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
-- may fail on existing rows: rows that belong to no partition
-- LOSES DATA: what no model has of logs: its triggers, grants and policies
SET LOCAL row_security = off;
INSERT INTO logs (id, a) OVERRIDING SYSTEM VALUE SELECT id, a FROM logs__old;
DROP TABLE logs__old;

-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while the index is built
-- may fail on existing rows: rows with the same key, or none
ALTER TABLE logs ADD CONSTRAINT logs_pkey PRIMARY KEY (id);
