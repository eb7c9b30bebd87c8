CREATE TABLE logs (a integer, b integer) PARTITION BY RANGE (a);
CREATE TABLE logs_default PARTITION OF logs DEFAULT;
CREATE INDEX logs_b_idx ON logs (abs(b), (b % 3) DESC);
