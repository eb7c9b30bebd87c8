INSERT INTO logs (a) VALUES ('x');
