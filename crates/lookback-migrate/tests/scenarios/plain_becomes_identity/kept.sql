WITH new AS (INSERT INTO logs (a) VALUES ('y') RETURNING id) SELECT id = 42 FROM new;
