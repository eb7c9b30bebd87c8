CREATE TYPE mood AS ENUM ('happy');
CREATE DOMAIN good_mood AS mood CHECK (VALUE <> 'happy');
CREATE TYPE pair AS (mood mood, n integer);
CREATE TYPE moods AS RANGE (subtype = mood);
CREATE TABLE people (id integer PRIMARY KEY, mood mood, pair pair DEFAULT ('happy', 1), usual good_mood, moods moods);
CREATE TABLE others (id integer PRIMARY KEY, usual good_mood[]);
