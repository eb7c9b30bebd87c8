INSERT INTO memos VALUES (1, 'To Do');
