INSERT INTO logs (source) VALUES ('a'), ('b'); SELECT setval('logs_id_seq', 100); ALTER TABLE logs ENABLE ROW LEVEL SECURITY;
