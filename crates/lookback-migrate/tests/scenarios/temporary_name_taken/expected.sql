-- file: change
DO $check$ -- Stops if functions, domains, views or other things in no model use the enum.
DECLARE
    users text;
BEGIN
    WITH RECURSIVE handled (relation, name) AS (
        SELECT to_regclass(relation)::oid, name
        FROM (VALUES ('people', 'mood')) AS v (relation, name)
        UNION
        SELECT i.inhrelid, h.name FROM handled AS h JOIN pg_inherits AS i ON i.inhparent = h.relation
    ), types (oid) AS (
        SELECT to_regtype('mood')::oid
        UNION
        SELECT other.oid FROM types JOIN pg_type AS other
            ON other.typelem = types.oid AND other.typcategory = 'A' OR other.typbasetype = types.oid
            OR other.oid IN (SELECT r.rngtypid FROM pg_range AS r WHERE r.rngsubtype = types.oid)
            OR other.typrelid IN (SELECT a.attrelid FROM pg_attribute AS a
                JOIN pg_class AS c ON c.oid = a.attrelid AND c.relkind = 'c'
                WHERE a.atttypid = types.oid)
    ), used (class, id, part) AS (
        SELECT d.classid, d.objid, d.objsubid FROM types JOIN pg_depend AS d
            ON d.refclassid = 'pg_type'::regclass AND d.refobjid = types.oid
        WHERE d.deptype IN ('a', 'n')
        UNION
        SELECT d.classid, d.objid, d.objsubid FROM handled AS h
        JOIN pg_attribute AS a ON a.attrelid = h.relation AND a.attname = h.name
        JOIN pg_depend AS d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = h.relation
            AND d.refobjsubid = a.attnum
        WHERE d.classid IN ('pg_rewrite'::regclass, 'pg_policy'::regclass, 'pg_trigger'::regclass,
                'pg_proc'::regclass)
            OR d.objid IN (SELECT p.oid FROM pg_publication_rel AS p WHERE p.prqual IS NOT NULL)
            OR d.objid IN (SELECT s.oid FROM pg_statistic_ext AS s WHERE s.stxexprs IS NOT NULL)
    ), recreated (class, id) AS (
        SELECT 'pg_attrdef'::regclass::oid, f.oid
        FROM handled AS h JOIN pg_attrdef AS f ON f.adrelid = h.relation
        UNION ALL
        SELECT 'pg_constraint'::regclass, k.oid
        FROM handled AS h JOIN pg_constraint AS k ON k.conrelid = h.relation
        UNION ALL
        SELECT 'pg_class'::regclass, i.indexrelid
        FROM handled AS h JOIN pg_index AS i ON i.indrelid = h.relation
    )
    SELECT string_agg(DISTINCT CASE
        WHEN r.rulename = '_RETURN' THEN pg_describe_object('pg_class'::regclass, r.ev_class, 0)
        WHEN c.relkind IN ('v', 'm') THEN pg_describe_object(used.class, used.id, 0)
        ELSE pg_describe_object(used.class, used.id, used.part) END COLLATE "C", ', ')
    INTO users
    FROM used
    LEFT JOIN pg_rewrite AS r ON used.class = 'pg_rewrite'::regclass AND r.oid = used.id
    LEFT JOIN pg_class AS c ON used.class = 'pg_class'::regclass AND c.oid = used.id
    WHERE (used.class, used.id) NOT IN (SELECT class, id FROM recreated)
        AND used.id NOT IN (SELECT k.oid FROM pg_constraint AS k WHERE k.contypid <> 0)
        AND NOT (used.class = 'pg_proc'::regclass AND EXISTS (SELECT FROM pg_depend AS d
            WHERE d.classid = used.class AND d.objid = used.id AND d.deptype = 'i'))
        AND NOT EXISTS (SELECT FROM handled AS h JOIN pg_attribute AS a
            ON a.attrelid = h.relation AND a.attname = h.name
            WHERE used.class = 'pg_class'::regclass AND used.id = h.relation
                AND used.part = a.attnum);
    IF users IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'dependent_objects_still_exist',
            MESSAGE = 'the enum mood is recreated, and these use it: ' || users,
            HINT = 'Edit this file. Above this check, drop each function, view, materialized view, policy, trigger, rule, publication, cast and operator, and change each column and attribute to text (and drop domains and ranges). Create functions again after "CREATE TYPE mood", and the rest before "DROP TYPE mood__old2".';
    END IF;
END $check$;

ALTER TYPE mood RENAME TO mood__old2;

CREATE TYPE mood AS ENUM ('happy');

-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
-- may fail on existing rows: rows whose people.mood is sad
ALTER TABLE people ALTER COLUMN mood TYPE mood USING mood::text::mood;

DROP TYPE mood__old2;
