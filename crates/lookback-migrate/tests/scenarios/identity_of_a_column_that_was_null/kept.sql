SELECT nextval(pg_get_serial_sequence('items', 'place')) = 8;
