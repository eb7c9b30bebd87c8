CREATE TYPE mood AS ENUM ('blue', 'happy');
CREATE TABLE people (id bigint PRIMARY KEY, mood mood NOT NULL DEFAULT 'blue');
