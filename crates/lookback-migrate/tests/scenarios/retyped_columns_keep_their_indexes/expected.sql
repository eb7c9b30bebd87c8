-- file: change
DROP INDEX tickets_double;

-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
ALTER TABLE tickets
    ALTER COLUMN id TYPE bigint,
    ALTER COLUMN place TYPE bigint,
    ALTER COLUMN code TYPE character varying(40),
    ALTER COLUMN price TYPE bigint;

-- file: change_tickets_double
-- no-transaction
CREATE INDEX CONCURRENTLY tickets_double ON tickets USING btree ((price * 2));
