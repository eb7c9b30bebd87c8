-- file: change
ALTER TABLE logs ALTER COLUMN a TYPE character varying(50);
