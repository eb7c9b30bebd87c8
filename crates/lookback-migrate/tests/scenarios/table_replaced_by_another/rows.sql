INSERT INTO orders VALUES (1, 'old');
INSERT INTO orders_next VALUES (1, 'new', 2);
INSERT INTO lines VALUES (1, 1);
