INSERT INTO users VALUES (1, 1, 'ada@example.com'), (2, 2, 'joan@example.com');
