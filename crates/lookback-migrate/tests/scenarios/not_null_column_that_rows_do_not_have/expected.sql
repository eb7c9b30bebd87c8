-- file: change
ALTER TABLE logs ADD COLUMN b text;

-- may fail on existing rows: later changes of rows that break it, until they are repaired
ALTER TABLE logs ADD CONSTRAINT logs_b__filled CHECK (b IS NOT NULL) NOT VALID;

-- file: change_validate
-- may fail on existing rows: rows that break it; nothing is changed then: repair them and run this again
ALTER TABLE logs VALIDATE CONSTRAINT logs_b__filled;

-- file: change_finish
ALTER TABLE logs ALTER COLUMN b SET NOT NULL;

ALTER TABLE logs DROP CONSTRAINT logs_b__filled;
