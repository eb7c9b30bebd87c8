-- file: change
ALTER TABLE logs RENAME TO lines;

ALTER TABLE lines RENAME CONSTRAINT logs_pkey TO lines_pkey;
