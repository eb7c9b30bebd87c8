-- no-transaction
CREATE INDEX CONCURRENTLY metrics_window_start_idx ON metrics USING btree (window_start);
