-- file: change
-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
-- LOSES DATA: parts smaller than an hour of shifts.length
ALTER TABLE shifts ALTER COLUMN length TYPE interval day to hour;

-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
-- LOSES DATA: digits of the seconds of shifts.pause
ALTER TABLE shifts ALTER COLUMN pause TYPE interval(0);

-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
-- LOSES DATA: all but the first byte of shifts.grade
ALTER TABLE shifts ALTER COLUMN grade TYPE "char";

-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
-- LOSES DATA: all but the first 63 bytes of shifts.owner
ALTER TABLE shifts ALTER COLUMN owner TYPE name;

-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
-- LOSES DATA: bits of shifts.switches
-- may fail on existing rows: values of shifts.switches that cannot be converted to bit(6)
ALTER TABLE shifts ALTER COLUMN switches TYPE bit(6) USING switches::bit(6);

-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
-- LOSES DATA: the bits of the host of shifts.host
ALTER TABLE shifts ALTER COLUMN host TYPE cidr;

-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
-- LOSES DATA: digits of shifts.drawn
ALTER TABLE shifts ALTER COLUMN drawn TYPE numeric(9,1);
