SELECT max(id) = 2 AND nextval(pg_get_serial_sequence('logs', 'id')) = 3 FROM logs;
