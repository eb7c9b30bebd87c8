CREATE TABLE first (id integer PRIMARY KEY, v text, CONSTRAINT checked CHECK (v <> ''));
CREATE INDEX first_v ON first (v);
CREATE TABLE second (id integer PRIMARY KEY, v text, w text);
CREATE INDEX second_v ON second (v, w);
CREATE TABLE third (id integer PRIMARY KEY, v integer);
CREATE INDEX third_v ON third (v DESC);
