SELECT set_config('lookback.index_1', (SELECT jsonb_strip_nulls(jsonb_build_object(
    'comment', obj_description(i.indexrelid, 'pg_class'),
    'constraint_comment', (SELECT obj_description(c.oid, 'pg_constraint') FROM pg_constraint AS c
        WHERE c.conindid = i.indexrelid AND c.conrelid = i.indrelid AND c.contype <> 'f'),
    'is_clustered', i.indisclustered, 'is_replica_identity', i.indisreplident,
    'statistics', (SELECT jsonb_object_agg(pg_get_indexdef(a.attrelid, a.attnum, true), a.attstattarget)
        FROM pg_attribute AS a WHERE a.attrelid = i.indexrelid AND a.attstattarget >= 0)))::text
    FROM pg_index AS i WHERE i.indexrelid = to_regclass('users_email_key')), true);

DROP INDEX users_email_key;

ALTER INDEX users_email_key__new RENAME TO users_email_key;

DO $kept$
DECLARE
    kept jsonb := nullif(current_setting('lookback.index_1', true), '');
    part record;
BEGIN
    IF kept ? 'comment' THEN
        EXECUTE format('COMMENT ON INDEX users_email_key IS %L', kept ->> 'comment');
    END IF;
    IF (kept ->> 'is_clustered')::boolean THEN
        ALTER TABLE users CLUSTER ON users_email_key;
    END IF;
    IF (kept ->> 'is_replica_identity')::boolean THEN
        ALTER TABLE users REPLICA IDENTITY USING INDEX users_email_key;
    END IF;
    FOR part IN SELECT a.attnum, s.value FROM jsonb_each_text(kept -> 'statistics') AS s
        JOIN pg_attribute AS a ON a.attrelid = to_regclass('users_email_key')
            AND pg_get_indexdef(a.attrelid, a.attnum, true) = s.key
    LOOP
        EXECUTE format('ALTER INDEX users_email_key ALTER COLUMN %s SET STATISTICS %s', part.attnum, part.value);
    END LOOP;
END $kept$;
