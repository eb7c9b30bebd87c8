CREATE TABLE logs (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a text, b text, c text);
