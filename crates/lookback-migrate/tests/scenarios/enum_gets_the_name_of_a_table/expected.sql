-- file: change_values
ALTER TABLE kind RENAME TO kind__swap;

ALTER TYPE old_kind RENAME TO kind;

-- LOSES DATA: every row of tone
DROP TABLE tone;

ALTER TYPE old_tone RENAME TO tone;

ALTER TYPE kind ADD VALUE 'c' AFTER 'b';

ALTER TYPE tone ADD VALUE 'high' AFTER 'low';

-- file: change
-- LOSES DATA: every row of kinds
DROP TABLE kinds;

ALTER TABLE kind__swap RENAME TO kinds;

ALTER TABLE kinds RENAME CONSTRAINT kind_pkey TO kinds_pkey;

ALTER TABLE kinds ALTER COLUMN k SET DEFAULT 'c'::kind;
