-- file: change
-- LOSES DATA: the values of orders."z DELETE FROM products; --"
ALTER TABLE orders DROP COLUMN "z
DELETE FROM products; --";
