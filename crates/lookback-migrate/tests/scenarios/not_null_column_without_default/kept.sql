SELECT b = 'none' FROM logs;
