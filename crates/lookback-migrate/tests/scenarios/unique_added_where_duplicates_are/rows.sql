INSERT INTO logs (email) VALUES ('a'), ('a');
