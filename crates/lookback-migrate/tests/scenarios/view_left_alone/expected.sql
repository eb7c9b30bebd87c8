-- file: change
ALTER TABLE logs ADD COLUMN c text;
