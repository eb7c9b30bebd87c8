CREATE EXTENSION IF NOT EXISTS vector;
CREATE TABLE logs (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, e vector(3));
CREATE INDEX logs_e_idx ON logs USING hnsw (e vector_l2_ops) WITH (m = 8);
