INSERT INTO logs VALUES ('x'), ('y');
