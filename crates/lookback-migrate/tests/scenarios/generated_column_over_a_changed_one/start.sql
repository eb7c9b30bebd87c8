CREATE TABLE a (x integer, y integer GENERATED ALWAYS AS (x * 2) STORED);
