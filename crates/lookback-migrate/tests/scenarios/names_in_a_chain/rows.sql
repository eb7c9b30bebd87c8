INSERT INTO first VALUES (1, 'one');
INSERT INTO second VALUES (1, 'two', 'zwei');
INSERT INTO third VALUES (1, 3);
