-- file: change
DROP INDEX members_nick;

-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while the index is built
-- may fail on existing rows: rows whose members.email becomes equal
ALTER TABLE members ALTER COLUMN email TYPE citext;

-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
-- LOSES DATA: the time of day of members.joined
-- may fail on existing rows: rows whose members.joined becomes equal
ALTER TABLE members ALTER COLUMN joined TYPE date;

ALTER TABLE members ALTER COLUMN nick TYPE citext;

-- file: change_members_nick
-- no-transaction
-- may fail on existing rows: rows with the same key
CREATE UNIQUE INDEX CONCURRENTLY members_nick ON members USING btree (nick);
