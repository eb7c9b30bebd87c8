-- file: change
ALTER TABLE readings DROP COLUMN twice;

-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
-- may fail on existing rows: values of other.a that cannot be converted to integer
ALTER TABLE other
    ALTER COLUMN id TYPE bigint,
    ALTER COLUMN a TYPE integer USING a::integer;

ALTER TABLE readings ALTER COLUMN e DROP NOT NULL;

ALTER TABLE readings ALTER COLUMN a DROP DEFAULT;

-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
-- may fail on existing rows: values of readings.f that cannot be converted to integer
-- may fail on existing rows: values of readings.g that cannot be converted to smallint
ALTER TABLE readings
    ALTER COLUMN id TYPE bigint,
    ALTER COLUMN a TYPE bigint,
    ALTER COLUMN b TYPE numeric,
    ALTER COLUMN d TYPE integer,
    ALTER COLUMN e TYPE text,
    ALTER COLUMN f TYPE integer,
    ALTER COLUMN g TYPE smallint,
    ADD COLUMN token uuid DEFAULT gen_random_uuid() NOT NULL,
    ADD COLUMN seen timestamp with time zone DEFAULT now(),
    ADD COLUMN twice bigint GENERATED ALWAYS AS (a * 2) STORED,
    ADD COLUMN more bigint GENERATED ALWAYS AS (a + d) STORED;

ALTER TABLE readings ALTER COLUMN a SET DEFAULT 1;

ALTER TABLE readings ALTER COLUMN b SET DEFAULT 2;

DO $alter$ BEGIN EXECUTE 'ALTER SEQUENCE ' || pg_get_serial_sequence('readings', 'id') || ' AS bigint'; END $alter$;

-- may fail on existing rows: later changes of rows that break it, until they are repaired
ALTER TABLE readings ADD CONSTRAINT readings_c__filled CHECK (c IS NOT NULL) NOT VALID;

ALTER TABLE third ALTER COLUMN b DROP DEFAULT;

-- may fail on existing rows: later changes of rows that break it, until they are repaired
ALTER TABLE third ADD CONSTRAINT third_a__fits CHECK (a BETWEEN -2147483648 AND 2147483647) NOT VALID;

-- may fail on existing rows: later changes of rows that break it, until they are repaired
ALTER TABLE third ADD CONSTRAINT third_b__fits CHECK (b BETWEEN -32768 AND 32767) NOT VALID;

-- may fail on existing rows: later changes of rows that break it, until they are repaired
ALTER TABLE third ADD CONSTRAINT third_c__filled CHECK (c IS NOT NULL) NOT VALID;

-- file: change_validate
-- may fail on existing rows: rows that break it; nothing is changed then: repair them and run this again
ALTER TABLE readings VALIDATE CONSTRAINT readings_c__filled;

-- may fail on existing rows: rows that break it; nothing is changed then: repair them and run this again
ALTER TABLE third VALIDATE CONSTRAINT third_a__fits;

-- may fail on existing rows: rows that break it; nothing is changed then: repair them and run this again
ALTER TABLE third VALIDATE CONSTRAINT third_b__fits;

-- may fail on existing rows: rows that break it; nothing is changed then: repair them and run this again
ALTER TABLE third VALIDATE CONSTRAINT third_c__filled;

-- file: change_finish
-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
-- may fail on existing rows: values of third.a that cannot be converted to integer
-- may fail on existing rows: values of third.b that cannot be converted to smallint
ALTER TABLE third
    ALTER COLUMN a TYPE integer,
    ALTER COLUMN b TYPE smallint;

ALTER TABLE readings ALTER COLUMN c SET NOT NULL;

ALTER TABLE readings DROP CONSTRAINT readings_c__filled;

ALTER TABLE third DROP CONSTRAINT third_a__fits;

ALTER TABLE third DROP CONSTRAINT third_b__fits;

ALTER TABLE third ALTER COLUMN b SET DEFAULT 7;

ALTER TABLE third ALTER COLUMN c SET NOT NULL;

ALTER TABLE third DROP CONSTRAINT third_c__filled;
