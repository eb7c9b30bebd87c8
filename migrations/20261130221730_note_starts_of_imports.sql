ALTER TABLE imports ADD COLUMN start_sha256 text;
