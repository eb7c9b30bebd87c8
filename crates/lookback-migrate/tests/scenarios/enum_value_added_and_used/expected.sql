-- file: change_values
ALTER TYPE mood ADD VALUE 'fine' AFTER 'happy';

-- file: change
ALTER TABLE people ALTER COLUMN mood SET DEFAULT 'fine'::mood;
