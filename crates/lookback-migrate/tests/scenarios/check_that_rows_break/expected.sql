-- file: change
-- may fail on existing rows: later changes of rows that break it, until they are repaired
ALTER TABLE logs ADD CONSTRAINT logs_a_check CHECK (a > 1) NOT VALID;

-- file: change_validate
-- may fail on existing rows: rows that break it; nothing is changed then: repair them and run this again
ALTER TABLE logs VALIDATE CONSTRAINT logs_a_check;
