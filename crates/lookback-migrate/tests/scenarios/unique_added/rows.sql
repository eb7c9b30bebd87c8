INSERT INTO logs (email) VALUES ('a'), ('b');
