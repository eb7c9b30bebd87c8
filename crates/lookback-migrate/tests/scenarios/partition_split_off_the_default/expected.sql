-- file: change
ALTER TABLE logs DETACH PARTITION logs_default;

ALTER TABLE logs_default RENAME TO logs_default__old;

-- may fail on existing rows: rows of the default partition that belong in the new one
CREATE TABLE logs_1 PARTITION OF logs FOR VALUES FROM ('1') TO ('10');

-- may fail on existing rows: rows of the default partition that belong in the new one
CREATE TABLE logs_default PARTITION OF logs DEFAULT;

-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
-- may fail on existing rows: rows that belong to no partition
SET LOCAL row_security = off;
INSERT INTO logs (id, a) OVERRIDING SYSTEM VALUE SELECT id, a FROM logs_default__old;
DROP TABLE logs_default__old;
