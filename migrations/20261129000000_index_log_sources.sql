SELECT set_config('lookback.index_1', (SELECT jsonb_strip_nulls(jsonb_build_object(
    'comment', obj_description(i.indexrelid, 'pg_class'),
    'constraint_comment', (SELECT obj_description(c.oid, 'pg_constraint') FROM pg_constraint AS c
        WHERE c.conindid = i.indexrelid AND c.conrelid = i.indrelid AND c.contype <> 'f'),
    'is_clustered', i.indisclustered, 'is_replica_identity', i.indisreplident,
    'statistics', (SELECT jsonb_object_agg(pg_get_indexdef(a.attrelid, a.attnum, true), a.attstattarget)
        FROM pg_attribute AS a WHERE a.attrelid = i.indexrelid AND a.attstattarget >= 0)))::text
    FROM pg_index AS i WHERE i.indexrelid = to_regclass('logs_created_at_idx')), true);

DROP INDEX logs_created_at_idx;

SELECT set_config('lookback.index_2', (SELECT jsonb_strip_nulls(jsonb_build_object(
    'comment', obj_description(i.indexrelid, 'pg_class'),
    'constraint_comment', (SELECT obj_description(c.oid, 'pg_constraint') FROM pg_constraint AS c
        WHERE c.conindid = i.indexrelid AND c.conrelid = i.indrelid AND c.contype <> 'f'),
    'is_clustered', i.indisclustered, 'is_replica_identity', i.indisreplident,
    'statistics', (SELECT jsonb_object_agg(pg_get_indexdef(a.attrelid, a.attnum, true), a.attstattarget)
        FROM pg_attribute AS a WHERE a.attrelid = i.indexrelid AND a.attstattarget >= 0)))::text
    FROM pg_index AS i WHERE i.indexrelid = to_regclass('request_snapshots_timestamp_idx')), true);

DROP INDEX request_snapshots_timestamp_idx;

-- locks the table: SHARE (no writes) while the index is built
CREATE INDEX logs_created_at_idx ON logs USING brin (created_at, (source || '') text_bloom_ops(n_distinct_per_range='100', false_positive_rate='0.001'), (level || '') text_bloom_ops(n_distinct_per_range='16')) WITH (autosummarize = on, pages_per_range = 64);

-- locks the table: SHARE (no writes) while the index is built
CREATE INDEX request_snapshots_timestamp_idx ON request_snapshots USING brin (timestamp, created_at) WITH (autosummarize = on);

DO $kept$
DECLARE
    kept jsonb := nullif(current_setting('lookback.index_1', true), '');
    part record;
BEGIN
    IF kept ? 'comment' THEN
        EXECUTE format('COMMENT ON INDEX logs_created_at_idx IS %L', kept ->> 'comment');
    END IF;
    IF (kept ->> 'is_clustered')::boolean THEN
        ALTER TABLE logs CLUSTER ON logs_created_at_idx;
    END IF;
    IF (kept ->> 'is_replica_identity')::boolean THEN
        ALTER TABLE logs REPLICA IDENTITY USING INDEX logs_created_at_idx;
    END IF;
    FOR part IN SELECT a.attnum, s.value FROM jsonb_each_text(kept -> 'statistics') AS s
        JOIN pg_attribute AS a ON a.attrelid = to_regclass('logs_created_at_idx')
            AND pg_get_indexdef(a.attrelid, a.attnum, true) = s.key
    LOOP
        EXECUTE format('ALTER INDEX logs_created_at_idx ALTER COLUMN %s SET STATISTICS %s', part.attnum, part.value);
    END LOOP;
END $kept$;

DO $kept$
DECLARE
    kept jsonb := nullif(current_setting('lookback.index_2', true), '');
    part record;
BEGIN
    IF kept ? 'comment' THEN
        EXECUTE format('COMMENT ON INDEX request_snapshots_timestamp_idx IS %L', kept ->> 'comment');
    END IF;
    IF (kept ->> 'is_clustered')::boolean THEN
        ALTER TABLE request_snapshots CLUSTER ON request_snapshots_timestamp_idx;
    END IF;
    IF (kept ->> 'is_replica_identity')::boolean THEN
        ALTER TABLE request_snapshots REPLICA IDENTITY USING INDEX request_snapshots_timestamp_idx;
    END IF;
    FOR part IN SELECT a.attnum, s.value FROM jsonb_each_text(kept -> 'statistics') AS s
        JOIN pg_attribute AS a ON a.attrelid = to_regclass('request_snapshots_timestamp_idx')
            AND pg_get_indexdef(a.attrelid, a.attnum, true) = s.key
    LOOP
        EXECUTE format('ALTER INDEX request_snapshots_timestamp_idx ALTER COLUMN %s SET STATISTICS %s', part.attnum, part.value);
    END LOOP;
END $kept$;
