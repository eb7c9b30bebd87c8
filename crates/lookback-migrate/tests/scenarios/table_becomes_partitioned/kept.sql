SELECT a = 'a' FROM logs_default;
