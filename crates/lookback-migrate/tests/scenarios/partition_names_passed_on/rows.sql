INSERT INTO b_log VALUES (1, 'a'), (11, 'b');
INSERT INTO d_log VALUES (1), (2);
