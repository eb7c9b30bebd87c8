INSERT INTO logs (e) VALUES ('[1,2,3]');
