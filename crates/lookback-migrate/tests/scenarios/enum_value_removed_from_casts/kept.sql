WITH added AS (INSERT INTO notes (id) VALUES (4) RETURNING label, rank)
SELECT (label, rank) = ('ok', 4) AND (SELECT rank = 3 FROM notes WHERE id = 3) FROM added
