-- file: change_logs_e_idx_new
-- no-transaction
CREATE INDEX CONCURRENTLY logs_e_idx__new ON logs USING hnsw (e vector_cosine_ops) WITH (m = 8);

-- file: change_swap
DROP INDEX logs_e_idx;

ALTER INDEX logs_e_idx__new RENAME TO logs_e_idx;
