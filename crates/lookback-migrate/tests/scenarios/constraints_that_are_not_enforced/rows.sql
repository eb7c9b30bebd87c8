INSERT INTO customers VALUES (1);
INSERT INTO orders VALUES (1, 5, 5, 1);
