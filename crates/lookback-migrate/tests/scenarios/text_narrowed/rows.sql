INSERT INTO logs (a) VALUES ('short');
