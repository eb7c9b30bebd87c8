-- file: change
ALTER TABLE b DROP CONSTRAINT b_a_fkey;

ALTER TABLE a DROP CONSTRAINT a_b_fkey;

-- LOSES DATA: every row of a
DROP TABLE a;

-- LOSES DATA: every row of b
DROP TABLE b;
