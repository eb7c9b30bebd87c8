SELECT id = 1 FROM logs;
