CREATE TABLE logs (a text);
