-- file: change
ALTER TABLE y RENAME TO y__swap;

ALTER TABLE x RENAME TO y;

ALTER TABLE y__swap RENAME TO x;

ALTER TABLE a_part RENAME TO a_part__swap;

ALTER TABLE c_part RENAME TO c_part__swap;

CREATE TABLE a_log (
    id integer
) PARTITION BY LIST (id);
CREATE TABLE c_part PARTITION OF a_log FOR VALUES IN (1);

CREATE TABLE a_part (
    id integer NOT NULL,
    CONSTRAINT a_part_pkey PRIMARY KEY (id)
);

ALTER TABLE b_log DETACH PARTITION a_part__swap;

ALTER TABLE a_part__swap RENAME TO a_part__swap__old;

ALTER TABLE b_log DETACH PARTITION c_part__swap;

ALTER TABLE c_part__swap RENAME TO c_part__swap__old;

-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
-- may fail on existing rows: rows that belong to no partition
SET LOCAL row_security = off;
INSERT INTO b_log (id, v) OVERRIDING SYSTEM VALUE SELECT id, v FROM a_part__swap__old;
DROP TABLE a_part__swap__old;

-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
-- may fail on existing rows: rows that belong to no partition
SET LOCAL row_security = off;
INSERT INTO b_log (id, v) OVERRIDING SYSTEM VALUE SELECT id, v FROM c_part__swap__old;
DROP TABLE c_part__swap__old;
