SELECT count(*) = 2 AND nextval('logs_id_seq1') = 101 FROM logs;
