INSERT INTO rooms VALUES (1, 2, 3, 'red', 'a');
INSERT INTO doors VALUES (1, 2, 3);
INSERT INTO tone VALUES (1);
