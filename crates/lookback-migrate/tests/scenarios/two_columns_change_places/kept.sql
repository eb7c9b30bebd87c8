SELECT a = '2' AND b = '1' FROM logs;
