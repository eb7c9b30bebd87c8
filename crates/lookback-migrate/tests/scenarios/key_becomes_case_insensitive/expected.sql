-- file: change
-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while the index is built
-- may fail on existing rows: rows whose members.email becomes equal
ALTER TABLE members ALTER COLUMN email TYPE citext;

-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
-- LOSES DATA: the time of day of members.joined
-- may fail on existing rows: rows whose members.joined becomes equal
ALTER TABLE members ALTER COLUMN joined TYPE date;

-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while the index is built
-- may fail on existing rows: rows whose members.nick becomes equal
ALTER TABLE members ALTER COLUMN nick TYPE citext;
