SELECT setval('"Odd ''name''"', 2147483647);
INSERT INTO parents (id) VALUES (1);
