INSERT INTO logs VALUES (1, 'a'), (100, 'b');
