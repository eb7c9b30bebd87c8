WITH added AS (INSERT INTO orders VALUES (2, -1, 1, 7, 8) RETURNING id)
SELECT id = 2 FROM added
