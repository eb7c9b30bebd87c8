INSERT INTO live (a) VALUES ('first');
INSERT INTO spare (b) VALUES ('second');
INSERT INTO users VALUES (1, 1, 1);
