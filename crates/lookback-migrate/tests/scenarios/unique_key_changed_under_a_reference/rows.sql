INSERT INTO users VALUES (1, 'ada@example.com'); INSERT INTO letters VALUES (1, 'ada@example.com');
