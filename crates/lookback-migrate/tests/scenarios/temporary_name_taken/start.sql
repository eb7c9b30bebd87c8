CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE mood__old (id bigint PRIMARY KEY);
CREATE TABLE people (id bigint PRIMARY KEY, mood mood);
