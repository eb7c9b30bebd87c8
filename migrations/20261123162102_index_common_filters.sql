-- locks the table: SHARE (no writes) while the index is built
CREATE INDEX logs_created_at_idx ON logs USING brin (created_at) WITH (autosummarize = on);

-- locks the table: SHARE (no writes) while the index is built
CREATE INDEX logs_deleted_at_idx ON logs USING btree (deleted_at) WHERE deleted_at IS NOT NULL;

-- locks the table: SHARE (no writes) while the index is built
CREATE INDEX logs_trace_id_idx ON logs USING btree (trace_id) WHERE trace_id IS NOT NULL;

-- locks the table: SHARE (no writes) while the index is built
CREATE INDEX request_snapshots_deleted_at_idx ON request_snapshots USING btree (deleted_at) WHERE deleted_at IS NOT NULL;

-- locks the table: SHARE (no writes) while the index is built
CREATE INDEX request_snapshots_timestamp_idx ON request_snapshots USING brin ((timestamp)) WITH (autosummarize = on);

-- locks the table: SHARE (no writes) while the index is built
CREATE INDEX request_snapshots_trace_id_idx ON request_snapshots USING btree (trace_id) WHERE trace_id IS NOT NULL;

-- locks the table: SHARE (no writes) while the index is built
CREATE INDEX request_snapshots_user_id_idx ON request_snapshots USING btree (user_id, id) WHERE user_id IS NOT NULL;
