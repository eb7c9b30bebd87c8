INSERT INTO logs (a, b) VALUES ('1', '2');
