CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE people (id bigint PRIMARY KEY, mood mood NOT NULL DEFAULT 'sad', CONSTRAINT people_mood_check CHECK (mood <> 'happy' OR id > 0));
CREATE INDEX people_mood_idx ON people (id) WHERE mood = 'sad';
