-- file: change_tickets_code_key_new
-- no-transaction
-- may fail on existing rows: rows with the same key
CREATE UNIQUE INDEX CONCURRENTLY tickets_code_key__new ON tickets USING btree (code, place);

-- file: change_tickets_100_new
-- no-transaction
CREATE INDEX CONCURRENTLY "tickets 100%__new" ON tickets USING btree (place, lower(note));

-- file: change_tickets_place_new
-- no-transaction
-- may fail on existing rows: rows with the same key
CREATE UNIQUE INDEX CONCURRENTLY tickets_place__new ON tickets USING btree (place) INCLUDE (note);

-- file: change_keys
SELECT set_config('lookback.index_1', (SELECT jsonb_strip_nulls(jsonb_build_object(
    'comment', obj_description(i.indexrelid, 'pg_class'),
    'constraint_comment', (SELECT obj_description(c.oid, 'pg_constraint') FROM pg_constraint AS c
        WHERE c.conindid = i.indexrelid AND c.conrelid = i.indrelid AND c.contype <> 'f'),
    'is_clustered', i.indisclustered, 'is_replica_identity', i.indisreplident,
    'statistics', (SELECT jsonb_object_agg(pg_get_indexdef(a.attrelid, a.attnum, true), a.attstattarget)
        FROM pg_attribute AS a WHERE a.attrelid = i.indexrelid AND a.attstattarget >= 0)))::text
    FROM pg_index AS i WHERE i.indexrelid = to_regclass('tickets_code_key')), true);

ALTER TABLE tickets DROP CONSTRAINT tickets_code_key;

SELECT set_config('lookback.index_2', (SELECT jsonb_strip_nulls(jsonb_build_object(
    'comment', obj_description(i.indexrelid, 'pg_class'),
    'constraint_comment', (SELECT obj_description(c.oid, 'pg_constraint') FROM pg_constraint AS c
        WHERE c.conindid = i.indexrelid AND c.conrelid = i.indrelid AND c.contype <> 'f'),
    'is_clustered', i.indisclustered, 'is_replica_identity', i.indisreplident,
    'statistics', (SELECT jsonb_object_agg(pg_get_indexdef(a.attrelid, a.attnum, true), a.attstattarget)
        FROM pg_attribute AS a WHERE a.attrelid = i.indexrelid AND a.attstattarget >= 0)))::text
    FROM pg_index AS i WHERE i.indexrelid = to_regclass('"tickets 100%"')), true);

DROP INDEX "tickets 100%";

SELECT set_config('lookback.index_3', (SELECT jsonb_strip_nulls(jsonb_build_object(
    'comment', obj_description(i.indexrelid, 'pg_class'),
    'constraint_comment', (SELECT obj_description(c.oid, 'pg_constraint') FROM pg_constraint AS c
        WHERE c.conindid = i.indexrelid AND c.conrelid = i.indrelid AND c.contype <> 'f'),
    'is_clustered', i.indisclustered, 'is_replica_identity', i.indisreplident,
    'statistics', (SELECT jsonb_object_agg(pg_get_indexdef(a.attrelid, a.attnum, true), a.attstattarget)
        FROM pg_attribute AS a WHERE a.attrelid = i.indexrelid AND a.attstattarget >= 0)))::text
    FROM pg_index AS i WHERE i.indexrelid = to_regclass('tickets_place')), true);

DROP INDEX tickets_place;

ALTER TABLE tickets ADD CONSTRAINT tickets_code_key UNIQUE USING INDEX tickets_code_key__new;

ALTER INDEX "tickets 100%__new" RENAME TO "tickets 100%";

ALTER INDEX tickets_place__new RENAME TO tickets_place;

DO $kept$
DECLARE
    kept jsonb := nullif(current_setting('lookback.index_1', true), '');
    part record;
BEGIN
    IF kept ? 'comment' THEN
        EXECUTE format('COMMENT ON INDEX tickets_code_key IS %L', kept ->> 'comment');
    END IF;
    IF kept ? 'constraint_comment' THEN
        EXECUTE format('COMMENT ON CONSTRAINT tickets_code_key ON tickets IS %L', kept ->> 'constraint_comment');
    END IF;
    IF (kept ->> 'is_clustered')::boolean THEN
        ALTER TABLE tickets CLUSTER ON tickets_code_key;
    END IF;
    IF (kept ->> 'is_replica_identity')::boolean THEN
        ALTER TABLE tickets REPLICA IDENTITY USING INDEX tickets_code_key;
    END IF;
    FOR part IN SELECT a.attnum, s.value FROM jsonb_each_text(kept -> 'statistics') AS s
        JOIN pg_attribute AS a ON a.attrelid = to_regclass('tickets_code_key')
            AND pg_get_indexdef(a.attrelid, a.attnum, true) = s.key
    LOOP
        EXECUTE format('ALTER INDEX tickets_code_key ALTER COLUMN %s SET STATISTICS %s', part.attnum, part.value);
    END LOOP;
END $kept$;

DO $kept$
DECLARE
    kept jsonb := nullif(current_setting('lookback.index_2', true), '');
    part record;
BEGIN
    IF kept ? 'comment' THEN
        EXECUTE format('COMMENT ON INDEX "tickets 100%%" IS %L', kept ->> 'comment');
    END IF;
    IF (kept ->> 'is_clustered')::boolean THEN
        ALTER TABLE tickets CLUSTER ON "tickets 100%";
    END IF;
    IF (kept ->> 'is_replica_identity')::boolean THEN
        ALTER TABLE tickets REPLICA IDENTITY USING INDEX "tickets 100%";
    END IF;
    FOR part IN SELECT a.attnum, s.value FROM jsonb_each_text(kept -> 'statistics') AS s
        JOIN pg_attribute AS a ON a.attrelid = to_regclass('"tickets 100%"')
            AND pg_get_indexdef(a.attrelid, a.attnum, true) = s.key
    LOOP
        EXECUTE format('ALTER INDEX "tickets 100%%" ALTER COLUMN %s SET STATISTICS %s', part.attnum, part.value);
    END LOOP;
END $kept$;

DO $kept$
DECLARE
    kept jsonb := nullif(current_setting('lookback.index_3', true), '');
    part record;
BEGIN
    IF kept ? 'comment' THEN
        EXECUTE format('COMMENT ON INDEX tickets_place IS %L', kept ->> 'comment');
    END IF;
    IF (kept ->> 'is_clustered')::boolean THEN
        ALTER TABLE tickets CLUSTER ON tickets_place;
    END IF;
    IF (kept ->> 'is_replica_identity')::boolean THEN
        ALTER TABLE tickets REPLICA IDENTITY USING INDEX tickets_place;
    END IF;
    FOR part IN SELECT a.attnum, s.value FROM jsonb_each_text(kept -> 'statistics') AS s
        JOIN pg_attribute AS a ON a.attrelid = to_regclass('tickets_place')
            AND pg_get_indexdef(a.attrelid, a.attnum, true) = s.key
    LOOP
        EXECUTE format('ALTER INDEX tickets_place ALTER COLUMN %s SET STATISTICS %s', part.attnum, part.value);
    END LOOP;
END $kept$;
