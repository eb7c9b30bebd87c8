CREATE TABLE logs (id bigserial PRIMARY KEY, a text);
