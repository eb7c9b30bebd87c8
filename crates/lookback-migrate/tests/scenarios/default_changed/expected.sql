-- file: change
ALTER TABLE logs ALTER COLUMN level SET DEFAULT 'debug'::text;
