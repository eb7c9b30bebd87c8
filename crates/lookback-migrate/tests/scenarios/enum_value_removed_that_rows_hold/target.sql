CREATE TYPE mood AS ENUM ('happy');
CREATE TABLE people (id bigint PRIMARY KEY, mood mood NOT NULL DEFAULT 'happy');
