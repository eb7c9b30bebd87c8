-- file: change
ALTER TABLE parts RENAME COLUMN code TO code__swap;

ALTER TABLE parts RENAME COLUMN next_code TO code;

ALTER TABLE parts DROP CONSTRAINT parts_code;

-- LOSES DATA: the values of parts.code
ALTER TABLE parts DROP COLUMN code__swap;
