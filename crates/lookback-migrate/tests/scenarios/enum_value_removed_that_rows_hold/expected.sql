-- file: change
ALTER TYPE mood RENAME TO mood__old;

CREATE TYPE mood AS ENUM ('happy');

ALTER TABLE people ALTER COLUMN mood DROP DEFAULT;

-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
-- may fail on existing rows: rows whose people.mood is sad
ALTER TABLE people ALTER COLUMN mood TYPE mood USING mood::text::mood;

ALTER TABLE people ALTER COLUMN mood SET DEFAULT 'happy'::mood;

DROP TYPE mood__old;
