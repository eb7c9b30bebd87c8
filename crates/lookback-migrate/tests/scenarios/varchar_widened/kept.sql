SELECT a = 'short' FROM logs;
