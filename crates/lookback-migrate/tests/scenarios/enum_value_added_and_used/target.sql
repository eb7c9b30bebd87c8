CREATE TYPE mood AS ENUM ('sad', 'happy', 'fine');
CREATE TABLE people (id bigint PRIMARY KEY, mood mood NOT NULL DEFAULT 'fine');
