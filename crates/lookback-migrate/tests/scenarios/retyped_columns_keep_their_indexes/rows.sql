INSERT INTO tickets VALUES (1, 1, 'a', 10, 'x', true), (2, 2, 'b', NULL, NULL, false);
