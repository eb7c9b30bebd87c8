-- file: change_visits_pkey_new
-- no-transaction
-- may fail on existing rows: rows with the same key
CREATE UNIQUE INDEX CONCURRENTLY visits_pkey__new ON visits USING btree (id, day);

-- file: change_keys
SELECT set_config('lookback.index_1', (SELECT jsonb_strip_nulls(jsonb_build_object(
    'comment', obj_description(i.indexrelid, 'pg_class'),
    'constraint_comment', (SELECT obj_description(c.oid, 'pg_constraint') FROM pg_constraint AS c
        WHERE c.conindid = i.indexrelid AND c.conrelid = i.indrelid AND c.contype <> 'f'),
    'is_clustered', i.indisclustered, 'is_replica_identity', i.indisreplident,
    'statistics', (SELECT jsonb_object_agg(pg_get_indexdef(a.attrelid, a.attnum, true), a.attstattarget)
        FROM pg_attribute AS a WHERE a.attrelid = i.indexrelid AND a.attstattarget >= 0)))::text
    FROM pg_index AS i WHERE i.indexrelid = to_regclass('visits_pkey')), true);

ALTER TABLE visits DROP CONSTRAINT visits_pkey;

ALTER TABLE visits ADD CONSTRAINT visits_pkey PRIMARY KEY USING INDEX visits_pkey__new;

DO $kept$
DECLARE
    kept jsonb := nullif(current_setting('lookback.index_1', true), '');
    part record;
BEGIN
    IF kept ? 'comment' THEN
        EXECUTE format('COMMENT ON INDEX visits_pkey IS %L', kept ->> 'comment');
    END IF;
    IF kept ? 'constraint_comment' THEN
        EXECUTE format('COMMENT ON CONSTRAINT visits_pkey ON visits IS %L', kept ->> 'constraint_comment');
    END IF;
    IF (kept ->> 'is_clustered')::boolean THEN
        ALTER TABLE visits CLUSTER ON visits_pkey;
    END IF;
    IF (kept ->> 'is_replica_identity')::boolean THEN
        ALTER TABLE visits REPLICA IDENTITY USING INDEX visits_pkey;
    END IF;
    FOR part IN SELECT a.attnum, s.value FROM jsonb_each_text(kept -> 'statistics') AS s
        JOIN pg_attribute AS a ON a.attrelid = to_regclass('visits_pkey')
            AND pg_get_indexdef(a.attrelid, a.attnum, true) = s.key
    LOOP
        EXECUTE format('ALTER INDEX visits_pkey ALTER COLUMN %s SET STATISTICS %s', part.attnum, part.value);
    END LOOP;
END $kept$;
