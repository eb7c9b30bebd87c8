INSERT INTO readings (a, b, c, d, e) VALUES (3, 4, 'c', 5, '{}'); INSERT INTO third VALUES (1, 2, 3, 'x'); INSERT INTO other VALUES (1, '2');
