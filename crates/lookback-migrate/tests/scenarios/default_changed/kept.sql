SELECT level = 'info' FROM logs;
