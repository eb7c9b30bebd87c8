CREATE TABLE logs (id bigint PRIMARY KEY, a text);
