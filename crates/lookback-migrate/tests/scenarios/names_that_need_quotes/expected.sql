-- file: change
ALTER TABLE "Order" ADD COLUMN "Gr ""x""" integer;

-- may fail on existing rows: later changes of rows that break it, until they are repaired
ALTER TABLE "Order" ADD CONSTRAINT "Order_select__filled" CHECK ("select" IS NOT NULL) NOT VALID;

-- may fail on existing rows: later changes of rows that break it, until they are repaired
ALTER TABLE "Order" ADD CONSTRAINT "Check it" CHECK ("select" <> ''::text) NOT VALID;

-- file: change_validate
-- may fail on existing rows: rows that break it; nothing is changed then: repair them and run this again
ALTER TABLE "Order" VALIDATE CONSTRAINT "Order_select__filled";

-- may fail on existing rows: rows that break it; nothing is changed then: repair them and run this again
ALTER TABLE "Order" VALIDATE CONSTRAINT "Check it";

-- file: change_finish
ALTER TABLE "Order" ALTER COLUMN "select" SET NOT NULL;

ALTER TABLE "Order" DROP CONSTRAINT "Order_select__filled";

-- file: change_from
-- no-transaction
CREATE INDEX CONCURRENTLY "From" ON "Order" USING btree ("select", lower("select"));
