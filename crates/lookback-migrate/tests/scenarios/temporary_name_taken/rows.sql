INSERT INTO people VALUES (1, 'happy'); INSERT INTO mood__old VALUES (1);
