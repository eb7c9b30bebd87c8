CREATE TABLE parts (id integer PRIMARY KEY, code text);
CREATE INDEX parts_lower ON parts (lower(code));
