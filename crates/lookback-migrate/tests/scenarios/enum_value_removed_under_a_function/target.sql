CREATE TYPE mood AS ENUM ('happy');
CREATE FUNCTION rank(mood) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT CASE $1 WHEN ''happy'' THEN 1 ELSE 0 END';
CREATE TABLE people (
    id integer PRIMARY KEY,
    mood mood NOT NULL,
    rank integer GENERATED ALWAYS AS (rank(mood)) STORED,
    CONSTRAINT mood_has_rank CHECK (rank(mood) >= 0)
);
CREATE INDEX people_rank ON people (rank(mood));
