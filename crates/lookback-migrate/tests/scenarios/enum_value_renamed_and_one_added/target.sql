CREATE TYPE mood AS ENUM ('fine', 'blue', 'happy');
CREATE TABLE people (id bigint PRIMARY KEY, mood mood NOT NULL DEFAULT 'fine');
