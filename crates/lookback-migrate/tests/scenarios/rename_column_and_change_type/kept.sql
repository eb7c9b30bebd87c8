SELECT message = 'hello' FROM logs;
