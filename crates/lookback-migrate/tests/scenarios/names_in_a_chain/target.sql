CREATE TABLE second (id integer PRIMARY KEY, v text, CONSTRAINT checked CHECK (v <> ''));
CREATE INDEX second_v ON second (v);
CREATE TABLE third (id integer PRIMARY KEY, v text, w text);
CREATE INDEX third_v ON third (v, w);
CREATE TABLE first (id integer PRIMARY KEY, v boolean);
CREATE INDEX first_v ON first (v);
