-- file: change_values
ALTER TYPE mood RENAME VALUE 'sad' TO 'blue';

ALTER TYPE mood ADD VALUE 'fine' BEFORE 'blue';

-- file: change
ALTER TABLE people ALTER COLUMN mood SET DEFAULT 'fine'::mood;
