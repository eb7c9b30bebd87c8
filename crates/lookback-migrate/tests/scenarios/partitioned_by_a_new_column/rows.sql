INSERT INTO orders VALUES (true), (false);
