CREATE TABLE a (x bigint, y bigint GENERATED ALWAYS AS (x * 3) STORED);
