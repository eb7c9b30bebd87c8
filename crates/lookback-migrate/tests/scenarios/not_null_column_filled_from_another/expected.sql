-- file: change
ALTER TABLE memos ADD COLUMN slug text;

-- locks the table: ROW EXCLUSIVE (reads go on, writes to the same rows wait) while the rows are written
UPDATE memos SET slug = lower(title) WHERE slug IS NULL;

-- may fail on existing rows: later changes of rows that break it, until they are repaired
ALTER TABLE memos ADD CONSTRAINT memos_slug__filled CHECK (slug IS NOT NULL) NOT VALID;

-- file: change_validate
-- may fail on existing rows: rows that break it; nothing is changed then: repair them and run this again
ALTER TABLE memos VALIDATE CONSTRAINT memos_slug__filled;

-- file: change_finish
ALTER TABLE memos ALTER COLUMN slug SET NOT NULL;

ALTER TABLE memos DROP CONSTRAINT memos_slug__filled;
