INSERT INTO parts VALUES (1, 'old', 'new');
