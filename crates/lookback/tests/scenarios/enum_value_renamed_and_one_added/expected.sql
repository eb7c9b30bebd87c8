-- file: change
ALTER TYPE mood RENAME VALUE 'bad' TO 'sad';

ALTER TYPE mood ADD VALUE 'fine' AFTER 'sad';
