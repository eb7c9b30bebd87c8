INSERT INTO customers VALUES ('ada');
INSERT INTO orders VALUES ('ada');
