-- file: change
-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
-- LOSES DATA: parts smaller than an hour of shifts.length
-- LOSES DATA: digits of the seconds of shifts.pause
-- LOSES DATA: all but the first byte of shifts.grade
-- LOSES DATA: all but the first 63 bytes of shifts.owner
-- LOSES DATA: bits of shifts.switches
-- may fail on existing rows: values of shifts.switches that cannot be converted to bit(6)
-- LOSES DATA: the bits of the host of shifts.host
-- LOSES DATA: digits of shifts.drawn
ALTER TABLE shifts
    ALTER COLUMN length TYPE interval day to hour,
    ALTER COLUMN pause TYPE interval(0),
    ALTER COLUMN grade TYPE "char",
    ALTER COLUMN owner TYPE name,
    ALTER COLUMN switches TYPE bit(6) USING switches::bit(6),
    ALTER COLUMN host TYPE cidr,
    ALTER COLUMN drawn TYPE numeric(9,1);
