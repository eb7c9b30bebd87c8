INSERT INTO visits VALUES (1, 2, 'x', '2024-02-03', 'n', 'u', 4);
