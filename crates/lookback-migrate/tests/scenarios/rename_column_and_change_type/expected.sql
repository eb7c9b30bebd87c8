-- file: change
ALTER TABLE logs RENAME COLUMN msg TO message;

ALTER TABLE logs ALTER COLUMN message TYPE text;
