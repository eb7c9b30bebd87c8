-- file: change
ALTER TABLE visits RENAME COLUMN month TO mon;

ALTER TABLE visits RENAME COLUMN zone TO area;

ALTER TABLE visits RENAME COLUMN at TO "time";

ALTER TABLE visits RENAME COLUMN nfc TO form;

ALTER TABLE visits RENAME COLUMN day TO days;

ALTER TABLE visits DROP CONSTRAINT visits_user;

-- may fail on existing rows: later changes of rows that break it, until they are repaired
ALTER TABLE visits ADD CONSTRAINT visits_user CHECK (USER <> ''::name) NOT VALID;

-- file: change_validate
-- may fail on existing rows: rows that break it; nothing is changed then: repair them and run this again
ALTER TABLE visits VALIDATE CONSTRAINT visits_user;
