INSERT INTO kind VALUES (1, 'b', 'low');
