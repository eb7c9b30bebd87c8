-- file: change
-- LOSES DATA: every row of tone
DROP TABLE tone;

ALTER TYPE colour RENAME TO tone;

ALTER INDEX moved RENAME TO kept_x;

ALTER INDEX hall RENAME TO moved;

ALTER TABLE doors RENAME CONSTRAINT kept TO kept__swap;

ALTER TABLE rooms RENAME CONSTRAINT given TO kept;

ALTER INDEX right_of RENAME TO right_of__swap;

ALTER INDEX left_of RENAME TO right_of;

ALTER INDEX right_of__swap RENAME TO left_of;

ALTER TYPE seats RENAME TO seats__swap;

ALTER TABLE doors DROP CONSTRAINT kept__swap;

CREATE TABLE hall (
    id integer NOT NULL,
    CONSTRAINT hall_pkey PRIMARY KEY (id)
);

CREATE TABLE seats (
    id integer NOT NULL,
    CONSTRAINT seats_pkey PRIMARY KEY (id),
    CONSTRAINT colour CHECK (id > 0)
);

-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
ALTER TABLE rooms ALTER COLUMN seat TYPE text;

-- may fail on existing rows: later changes of rows that break it, until they are repaired
ALTER TABLE doors ADD CONSTRAINT given CHECK (y > 0) NOT VALID;

CREATE INDEX colour ON seats USING btree (id DESC);

DROP TYPE seats__swap;

-- file: change_validate
-- may fail on existing rows: rows that break it; nothing is changed then: repair them and run this again
ALTER TABLE doors VALIDATE CONSTRAINT given;
