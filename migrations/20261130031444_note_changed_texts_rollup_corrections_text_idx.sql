-- no-transaction
CREATE INDEX CONCURRENTLY rollup_corrections_text_idx ON rollup_corrections USING btree (target, record_id) WHERE amount = 0;
