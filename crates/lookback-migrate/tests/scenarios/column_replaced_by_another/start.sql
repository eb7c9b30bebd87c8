CREATE TABLE parts (id integer PRIMARY KEY, code text, next_code text, CONSTRAINT parts_code UNIQUE (code));
CREATE INDEX parts_lower ON parts (lower(next_code));
