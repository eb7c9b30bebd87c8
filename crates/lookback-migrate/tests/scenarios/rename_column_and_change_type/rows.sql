INSERT INTO logs (msg) VALUES ('hello');
