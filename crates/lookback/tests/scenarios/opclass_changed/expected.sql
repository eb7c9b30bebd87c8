-- file: change
DROP INDEX logs_e_idx;

-- file: change_logs_e_idx
-- no-transaction
CREATE INDEX CONCURRENTLY logs_e_idx ON logs USING hnsw (e vector_cosine_ops) WITH (m = 8);
