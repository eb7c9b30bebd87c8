//! Queries to `pg_catalog`, one for each group of unsupported objects.
//!
//! Each returns the class and oid of the object that an extension may own, the kind, the schema,
//! the name, and the object it belongs to. A name is SQL already if the last column is true. The
//! schema is null for objects that belong to the database.
//!
//! They read the tables `ours` (the schemas to read) and `tables` (their tables and partitions).
//! No function here opens a relation, which would lock it.

/// The first part of the statement.
pub(super) const COMMON: &str = "\
WITH ours AS (
    SELECT oid, nspname::text AS schema, nspowner AS owner, nspacl AS acl
    FROM pg_catalog.pg_namespace WHERE nspname = ANY ($1)
), brought AS (
    SELECT classid, objid FROM pg_catalog.pg_depend WHERE deptype = 'e'
), tables AS (
    SELECT c.*, n.schema, c.relname::text AS name,
        CASE WHEN c.relispartition THEN 'partition' ELSE 'table' END AS kind
    FROM pg_catalog.pg_class AS c JOIN ours AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND c.relname <> '_sqlx_migrations'
), columns AS (
    SELECT a.*, t.schema, t.name AS table_name, t.relispartition
    FROM pg_catalog.pg_attribute AS a JOIN tables AS t ON t.oid = a.attrelid
    WHERE a.attnum > 0 AND NOT a.attisdropped
), indexes AS (
    SELECT c.*, i.indexrelid, i.indrelid, i.indisclustered, t.schema, c.relname::text AS name,
        t.name AS table_name
    FROM pg_catalog.pg_index AS i JOIN tables AS t ON t.oid = i.indrelid
    JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
), sequences AS (
    SELECT c.*, s.seqtypid, a.attrelid, a.attnum, a.attname::text AS column_name, a.atttypid,
        t.schema, t.name AS table_name, n.nspname::text AS own_schema
    FROM pg_catalog.pg_depend AS d JOIN pg_catalog.pg_sequence AS s ON s.seqrelid = d.objid
    JOIN pg_catalog.pg_class AS c ON c.oid = d.objid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    JOIN tables AS t ON t.oid = d.refobjid
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
    WHERE d.classid = 'pg_catalog.pg_class'::regclass
      AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i')
), enums AS (
    SELECT t.*, n.schema, t.typname::text AS name FROM pg_catalog.pg_type AS t
    JOIN ours AS n ON n.oid = t.typnamespace WHERE t.typtype = 'e'
), found (class, oid, kind, schema, name, \"of\", is_sql) AS (
";

/// The last part of the statement.
pub(super) const END: &str = "
)
SELECT kind, schema, name, \"of\", is_sql FROM found
WHERE NOT EXISTS (SELECT FROM brought AS b WHERE b.classid = found.class AND b.objid = found.oid)";

/// The middle parts, to combine with `UNION ALL`.
pub(super) const ALL: [&str; 12] = [
    RELATIONS,
    ROUTINES,
    TYPES,
    OPERATORS,
    TEXT_SEARCH,
    ON_TABLES,
    OF_PARTITIONS,
    OF_TABLES,
    OF_COLUMNS,
    GRANTS,
    COMMENTS,
    OF_DATABASE,
];

const RELATIONS: &str = "
SELECT 'pg_catalog.pg_class'::regclass, c.oid,
    CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
        WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'foreign table' ELSE 'composite type' END,
    n.schema, c.relname::text, NULL::text, false
FROM pg_catalog.pg_class AS c JOIN ours AS n ON n.oid = c.relnamespace
WHERE c.relpersistence <> 't' AND NOT c.relispartition
  AND (c.relkind IN ('v', 'm', 'f', 'c')
    OR (c.relkind = 'S' AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d
        WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
          AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i'))))";

const ROUTINES: &str = "
SELECT 'pg_catalog.pg_proc'::regclass, p.oid,
    CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END,
    n.schema, p.proname::text, NULL, false
FROM pg_catalog.pg_proc AS p JOIN ours AS n ON n.oid = p.pronamespace
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d
    WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i')";

const TYPES: &str = "
SELECT 'pg_catalog.pg_type'::regclass, t.oid,
    CASE t.typtype WHEN 'd' THEN 'domain' WHEN 'r' THEN 'range type' ELSE 'base type' END,
    n.schema, t.typname::text, NULL, false
FROM pg_catalog.pg_type AS t JOIN ours AS n ON n.oid = t.typnamespace
WHERE t.typtype IN ('d', 'r', 'p') OR (t.typtype = 'b' AND t.typcategory <> 'A')
UNION ALL
SELECT 'pg_catalog.pg_collation'::regclass, l.oid, 'collation', n.schema, l.collname::text, NULL,
    false
FROM pg_catalog.pg_collation AS l JOIN ours AS n ON n.oid = l.collnamespace
UNION ALL
SELECT 'pg_catalog.pg_conversion'::regclass, c.oid, 'conversion', n.schema, c.conname::text, NULL,
    false
FROM pg_catalog.pg_conversion AS c JOIN ours AS n ON n.oid = c.connamespace
UNION ALL
SELECT 'pg_catalog.pg_cast'::regclass, c.oid, 'cast', NULL,
    pg_catalog.format_type(c.castsource, NULL) || ' to ' || pg_catalog.format_type(c.casttarget, NULL),
    NULL, true
FROM pg_catalog.pg_cast AS c WHERE c.oid >= 16384
UNION ALL
SELECT 'pg_catalog.pg_transform'::regclass, t.oid, 'transform', NULL,
    pg_catalog.format_type(t.trftype, NULL) || ' for ' || pg_catalog.quote_ident(l.lanname), NULL, true
FROM pg_catalog.pg_transform AS t JOIN pg_catalog.pg_language AS l ON l.oid = t.trflang
WHERE t.oid >= 16384";

const OPERATORS: &str = "
SELECT 'pg_catalog.pg_operator'::regclass, o.oid, 'operator', NULL,
    CASE WHEN n.schema = $2 THEN '' ELSE pg_catalog.quote_ident(n.schema) || '.' END || o.oprname
        || ' (' || CASE o.oprleft WHEN 0 THEN 'NONE' ELSE pg_catalog.format_type(o.oprleft, NULL) END
        || ', ' || pg_catalog.format_type(o.oprright, NULL) || ')', NULL, true
FROM pg_catalog.pg_operator AS o JOIN ours AS n ON n.oid = o.oprnamespace
UNION ALL
SELECT 'pg_catalog.pg_opclass'::regclass, o.oid, 'operator class', n.schema, o.opcname::text, NULL,
    false
FROM pg_catalog.pg_opclass AS o JOIN ours AS n ON n.oid = o.opcnamespace
UNION ALL
SELECT 'pg_catalog.pg_opfamily'::regclass, f.oid, 'operator family', n.schema, f.opfname::text,
    NULL, false
FROM pg_catalog.pg_opfamily AS f JOIN ours AS n ON n.oid = f.opfnamespace
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_opclass AS o
    WHERE o.opcfamily = f.oid AND o.opcname = f.opfname)";

const TEXT_SEARCH: &str = "
SELECT 'pg_catalog.pg_ts_config'::regclass, s.oid, 'text search configuration', n.schema,
    s.cfgname::text, NULL, false
FROM pg_catalog.pg_ts_config AS s JOIN ours AS n ON n.oid = s.cfgnamespace
UNION ALL
SELECT 'pg_catalog.pg_ts_dict'::regclass, s.oid, 'text search dictionary', n.schema,
    s.dictname::text, NULL, false
FROM pg_catalog.pg_ts_dict AS s JOIN ours AS n ON n.oid = s.dictnamespace
UNION ALL
SELECT 'pg_catalog.pg_ts_parser'::regclass, s.oid, 'text search parser', n.schema,
    s.prsname::text, NULL, false
FROM pg_catalog.pg_ts_parser AS s JOIN ours AS n ON n.oid = s.prsnamespace
UNION ALL
SELECT 'pg_catalog.pg_ts_template'::regclass, s.oid, 'text search template', n.schema,
    s.tmplname::text, NULL, false
FROM pg_catalog.pg_ts_template AS s JOIN ours AS n ON n.oid = s.tmplnamespace";

/// Objects that need a table, and have names of their own.
const ON_TABLES: &str = "
SELECT 'pg_catalog.pg_statistic_ext'::regclass, s.oid, 'statistics object', n.schema,
    s.stxname::text, NULL, false
FROM pg_catalog.pg_statistic_ext AS s JOIN ours AS n ON n.oid = s.stxnamespace
UNION ALL
SELECT 'pg_catalog.pg_class'::regclass, c.oid, 'trigger', n.schema, t.tgname::text, c.relname::text,
    false
FROM pg_catalog.pg_trigger AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
JOIN ours AS n ON n.oid = c.relnamespace
WHERE NOT t.tgisinternal AND t.tgparentid = 0
UNION ALL
SELECT 'pg_catalog.pg_class'::regclass, c.oid, 'policy', n.schema, p.polname::text, c.relname::text,
    false
FROM pg_catalog.pg_policy AS p JOIN pg_catalog.pg_class AS c ON c.oid = p.polrelid
JOIN ours AS n ON n.oid = c.relnamespace
UNION ALL
SELECT 'pg_catalog.pg_class'::regclass, c.oid, 'rule', n.schema, r.rulename::text, c.relname::text,
    false
FROM pg_catalog.pg_rewrite AS r JOIN pg_catalog.pg_class AS c ON c.oid = r.ev_class
JOIN ours AS n ON n.oid = c.relnamespace
WHERE r.rulename <> '_RETURN'";

/// Parts that a single partition has, and its table has not.
const OF_PARTITIONS: &str = "
SELECT 'pg_catalog.pg_class'::regclass, i.oid, 'partition index', i.schema, i.name, i.table_name,
    false
FROM indexes AS i JOIN tables AS t ON t.oid = i.indrelid
WHERE t.relispartition
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits AS h WHERE h.inhrelid = i.oid)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS k
      WHERE k.conindid = i.oid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x'))
UNION ALL
SELECT 'pg_catalog.pg_class'::regclass, t.oid, 'partition constraint', t.schema, k.conname::text,
    t.name, false
FROM pg_catalog.pg_constraint AS k JOIN tables AS t ON t.oid = k.conrelid AND t.relispartition
WHERE k.contype IN ('p', 'u', 'x', 'f', 'c') AND k.conparentid = 0 AND k.coninhcount = 0
UNION ALL
SELECT 'pg_catalog.pg_class'::regclass, c.attrelid, 'NOT NULL of a partition column', c.schema,
    c.attname::text, c.table_name, false
FROM columns AS c JOIN pg_catalog.pg_inherits AS h ON h.inhrelid = c.attrelid
JOIN pg_catalog.pg_attribute AS p ON p.attrelid = h.inhparent AND p.attname = c.attname
WHERE c.relispartition AND c.attnotnull AND NOT p.attnotnull
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS k
      WHERE k.conrelid = c.attrelid AND k.contype = 'p' AND c.attnum = ANY (k.conkey))
UNION ALL
SELECT 'pg_catalog.pg_class'::regclass, c.attrelid, 'default of a partition column', c.schema,
    c.attname::text, c.table_name, false
FROM columns AS c JOIN pg_catalog.pg_inherits AS h ON h.inhrelid = c.attrelid
JOIN pg_catalog.pg_attribute AS p ON p.attrelid = h.inhparent AND p.attname = c.attname
LEFT JOIN pg_catalog.pg_attrdef AS own ON own.adrelid = c.attrelid AND own.adnum = c.attnum
LEFT JOIN pg_catalog.pg_attrdef AS its ON its.adrelid = p.attrelid AND its.adnum = p.attnum
WHERE c.relispartition AND c.attgenerated = ''
  AND pg_catalog.pg_get_expr(own.adbin, 0) IS DISTINCT FROM pg_catalog.pg_get_expr(its.adbin, 0)";

/// Properties of tables, partitions and indexes.
const OF_TABLES: &str = "
SELECT 'pg_catalog.pg_class'::regclass, t.oid, 'unlogged partition', t.schema, t.name, NULL, false
FROM tables AS t WHERE t.relispartition AND t.relpersistence = 'u'
UNION ALL
SELECT 'pg_catalog.pg_class'::regclass, t.oid, 'storage parameters of partition', t.schema, t.name,
    NULL, false
FROM tables AS t WHERE t.relispartition AND t.reloptions IS NOT NULL
UNION ALL
SELECT 'pg_catalog.pg_class'::regclass, t.oid, 'row-level security of partition', t.schema, t.name,
    NULL, false
FROM tables AS t WHERE t.relispartition AND t.relrowsecurity
UNION ALL
SELECT 'pg_catalog.pg_class'::regclass, t.oid, 'forced row-level security of ' || t.kind, t.schema,
    t.name, NULL, false
FROM tables AS t WHERE t.relforcerowsecurity
UNION ALL
SELECT 'pg_catalog.pg_class'::regclass, t.oid, 'TOAST parameters of ' || t.kind, t.schema, t.name,
    NULL, false
FROM tables AS t JOIN pg_catalog.pg_class AS toast ON toast.oid = t.reltoastrelid
WHERE toast.reloptions IS NOT NULL
UNION ALL
SELECT 'pg_catalog.pg_class'::regclass, t.oid, 'replica identity of ' || t.kind, t.schema, t.name,
    NULL, false
FROM tables AS t WHERE t.relreplident <> 'd'
UNION ALL
SELECT 'pg_catalog.pg_class'::regclass, t.oid, 'access method of ' || t.kind, t.schema, t.name,
    NULL, false
FROM tables AS t JOIN pg_catalog.pg_am AS m ON m.oid = t.relam
WHERE m.amname <> 'heap'
UNION ALL
SELECT 'pg_catalog.pg_class'::regclass, t.oid, 'tablespace of ' || t.kind, t.schema, t.name, NULL,
    false
FROM tables AS t WHERE t.reltablespace <> 0
UNION ALL
SELECT 'pg_catalog.pg_class'::regclass, i.oid, 'tablespace of index', i.schema, i.name,
    i.table_name, false
FROM indexes AS i WHERE i.reltablespace <> 0
UNION ALL
SELECT 'pg_catalog.pg_class'::regclass, i.oid, 'storage parameters of key', i.schema, i.name,
    i.table_name, false
FROM indexes AS i JOIN pg_catalog.pg_constraint AS k
  ON k.conindid = i.oid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u')
WHERE i.reloptions IS NOT NULL
UNION ALL
SELECT 'pg_catalog.pg_class'::regclass, i.oid, 'CLUSTER order', i.schema, i.name, i.table_name,
    false
FROM indexes AS i WHERE i.indisclustered
UNION ALL
SELECT 'pg_catalog.pg_class'::regclass, t.oid, 'owner of ' || t.kind, t.schema, t.name, NULL, false
FROM tables AS t WHERE pg_catalog.pg_get_userbyid(t.relowner) <> current_user";

/// Properties of columns and of the sequences that they own.
const OF_COLUMNS: &str = "
SELECT 'pg_catalog.pg_class'::regclass, c.attrelid, 'storage of column', c.schema, c.attname::text,
    c.table_name, false
FROM columns AS c JOIN pg_catalog.pg_type AS t ON t.oid = c.atttypid
WHERE c.attstorage <> t.typstorage
UNION ALL
SELECT 'pg_catalog.pg_class'::regclass, c.attrelid, 'compression of column', c.schema,
    c.attname::text, c.table_name, false
FROM columns AS c WHERE c.attcompression <> ''
UNION ALL
SELECT 'pg_catalog.pg_class'::regclass, c.attrelid, 'statistics target of column', c.schema,
    c.attname::text, c.table_name, false
FROM columns AS c WHERE c.attstattarget >= 0
UNION ALL
SELECT 'pg_catalog.pg_class'::regclass, i.oid, 'statistics target of index', i.schema, i.name,
    i.table_name, false
FROM indexes AS i
WHERE EXISTS (SELECT FROM pg_catalog.pg_attribute AS a
    WHERE a.attrelid = i.oid AND a.attstattarget >= 0)
UNION ALL
SELECT 'pg_catalog.pg_class'::regclass, c.attrelid, 'options of column', c.schema, c.attname::text,
    c.table_name, false
FROM columns AS c WHERE c.attoptions IS NOT NULL
UNION ALL
SELECT 'pg_catalog.pg_class'::regclass, c.attrelid, 'name of a NOT NULL constraint', c.schema,
    k.conname::text, c.table_name, false
FROM columns AS c JOIN pg_catalog.pg_constraint AS k
  ON k.conrelid = c.attrelid AND k.contype = 'n' AND k.conkey[1] = c.attnum
WHERE NOT c.relispartition AND k.coninhcount = 0
  AND NOT CASE WHEN octet_length(c.table_name || '_' || c.attname || '_not_null') <= 63
      THEN pg_catalog.starts_with(k.conname::text, c.table_name || '_' || c.attname || '_not_null')
      ELSE k.conname ~ '_not_null[0-9]*$' END
UNION ALL
SELECT 'pg_catalog.pg_class'::regclass, c.attrelid, 'NOT NULL that is not inherited', c.schema,
    c.attname::text, c.table_name, false
FROM columns AS c JOIN pg_catalog.pg_constraint AS k
  ON k.conrelid = c.attrelid AND k.contype = 'n' AND k.conkey[1] = c.attnum
WHERE k.connoinherit
UNION ALL
SELECT 'pg_catalog.pg_class'::regclass, s.attrelid, 'name of the sequence of column', s.schema,
    s.column_name, s.table_name, false
FROM sequences AS s
WHERE s.own_schema <> s.schema
   OR NOT CASE WHEN octet_length(s.table_name || '_' || s.column_name || '_seq') <= 63
      THEN pg_catalog.starts_with(s.relname::text, s.table_name || '_' || s.column_name || '_seq')
      ELSE s.relname ~ '_seq[0-9]*$' END
UNION ALL
SELECT 'pg_catalog.pg_class'::regclass, s.attrelid, 'type of the sequence of column', s.schema,
    s.column_name, s.table_name, false
FROM sequences AS s WHERE s.seqtypid <> s.atttypid
UNION ALL
SELECT 'pg_catalog.pg_class'::regclass, s.attrelid, 'sequence that is owned, but not used, by column',
    s.schema, s.column_name, s.table_name, false
FROM sequences AS s JOIN pg_catalog.pg_attribute AS a
  ON a.attrelid = s.attrelid AND a.attnum = s.attnum AND a.attidentity = ''
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_attrdef AS f JOIN pg_catalog.pg_depend AS d
    ON d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.objid = f.oid
   AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = s.oid
    WHERE f.adrelid = s.attrelid AND f.adnum = s.attnum)";

const GRANTS: &str = "
SELECT 'pg_catalog.pg_class'::regclass, t.oid, 'grants on ' || t.kind, t.schema, t.name, NULL, false
FROM tables AS t
WHERE t.relacl IS NOT NULL AND t.relacl <> pg_catalog.acldefault('r', t.relowner)
UNION ALL
SELECT 'pg_catalog.pg_class'::regclass, c.attrelid, 'grants on column', c.schema, c.attname::text,
    c.table_name, false
FROM columns AS c WHERE c.attacl IS NOT NULL AND c.attacl <> '{}'
UNION ALL
SELECT 'pg_catalog.pg_class'::regclass, s.oid, 'grants on the sequence of column', s.schema,
    s.column_name, s.table_name, false
FROM sequences AS s
WHERE s.relacl IS NOT NULL AND s.relacl <> pg_catalog.acldefault('s', s.relowner)
UNION ALL
SELECT 'pg_catalog.pg_type'::regclass, e.oid, 'grants on enum type', e.schema, e.name, NULL, false
FROM enums AS e
WHERE e.typacl IS NOT NULL AND e.typacl <> pg_catalog.acldefault('T', e.typowner)
UNION ALL
SELECT 'pg_catalog.pg_namespace'::regclass, n.oid, 'grants on schema', NULL, n.schema, NULL, false
FROM ours AS n LEFT JOIN pg_catalog.pg_init_privs AS i
  ON i.classoid = 'pg_catalog.pg_namespace'::regclass AND i.objoid = n.oid AND i.objsubid = 0
WHERE n.acl IS NOT NULL AND n.acl <> coalesce(i.initprivs, pg_catalog.acldefault('n', n.owner))
UNION ALL
SELECT 'pg_catalog.pg_default_acl'::regclass, d.oid, 'default privileges of role', NULL,
    pg_catalog.pg_get_userbyid(d.defaclrole)::text, NULL, false
FROM pg_catalog.pg_default_acl AS d LEFT JOIN ours AS n ON n.oid = d.defaclnamespace
WHERE d.defaclnamespace = 0 OR n.oid IS NOT NULL
UNION ALL
SELECT l.classoid::regclass, l.objoid, 'security label on', NULL,
    coalesce(t.schema || '.' || t.name, e.schema || '.' || e.name, n.schema), NULL, false
FROM pg_catalog.pg_seclabel AS l
LEFT JOIN tables AS t ON l.classoid = 'pg_catalog.pg_class'::regclass AND t.oid = l.objoid
LEFT JOIN enums AS e ON l.classoid = 'pg_catalog.pg_type'::regclass AND e.oid = l.objoid
LEFT JOIN ours AS n ON l.classoid = 'pg_catalog.pg_namespace'::regclass AND n.oid = l.objoid
WHERE coalesce(t.oid, e.oid, n.oid) IS NOT NULL";

/// Comments on objects that models have, besides tables and columns.
const COMMENTS: &str = "
SELECT 'pg_catalog.pg_class'::regclass, t.oid, 'comment on constraint', t.schema, k.conname::text,
    t.name, false
FROM pg_catalog.pg_description AS d JOIN pg_catalog.pg_constraint AS k
  ON d.classoid = 'pg_catalog.pg_constraint'::regclass AND k.oid = d.objoid
JOIN tables AS t ON t.oid = k.conrelid
UNION ALL
SELECT 'pg_catalog.pg_class'::regclass, i.oid, 'comment on index', i.schema, i.name, i.table_name,
    false
FROM pg_catalog.pg_description AS d JOIN indexes AS i
  ON d.classoid = 'pg_catalog.pg_class'::regclass AND i.oid = d.objoid
UNION ALL
SELECT 'pg_catalog.pg_class'::regclass, t.oid, 'comment on partition', t.schema, t.name, NULL, false
FROM pg_catalog.pg_description AS d JOIN tables AS t
  ON d.classoid = 'pg_catalog.pg_class'::regclass AND t.oid = d.objoid AND d.objsubid = 0
WHERE t.relispartition
UNION ALL
SELECT 'pg_catalog.pg_class'::regclass, c.attrelid, 'comment on partition column', c.schema,
    c.attname::text, c.table_name, false
FROM pg_catalog.pg_description AS d JOIN columns AS c
  ON d.classoid = 'pg_catalog.pg_class'::regclass AND c.attrelid = d.objoid AND c.attnum = d.objsubid
WHERE c.relispartition
UNION ALL
SELECT 'pg_catalog.pg_class'::regclass, s.oid, 'comment on the sequence of column', s.schema,
    s.column_name, s.table_name, false
FROM pg_catalog.pg_description AS d JOIN sequences AS s
  ON d.classoid = 'pg_catalog.pg_class'::regclass AND s.oid = d.objoid
UNION ALL
SELECT 'pg_catalog.pg_type'::regclass, e.oid, 'comment on enum type', e.schema, e.name, NULL, false
FROM pg_catalog.pg_description AS d JOIN enums AS e
  ON d.classoid = 'pg_catalog.pg_type'::regclass AND e.oid = d.objoid
UNION ALL
SELECT 'pg_catalog.pg_namespace'::regclass, n.oid, 'comment on schema', NULL, n.schema, NULL, false
FROM pg_catalog.pg_description AS d JOIN ours AS n
  ON d.classoid = 'pg_catalog.pg_namespace'::regclass AND n.oid = d.objoid
WHERE (n.schema, d.description) <> ('public', 'standard public schema')
UNION ALL
SELECT 'pg_catalog.pg_database'::regclass, b.oid, 'comment on database', NULL, b.datname::text, NULL,
    false
FROM pg_catalog.pg_shdescription AS d JOIN pg_catalog.pg_database AS b
  ON d.classoid = 'pg_catalog.pg_database'::regclass AND b.oid = d.objoid
WHERE b.datname = current_database()";

/// Objects that belong to no schema.
const OF_DATABASE: &str = "
SELECT 'pg_catalog.pg_extension'::regclass, 0::oid, 'schema of extension', NULL,
    pg_catalog.quote_ident(e.extname) || ' (' || pg_catalog.quote_ident(n.nspname) || ')', NULL, true
FROM pg_catalog.pg_extension AS e JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace
WHERE n.nspname <> $2 AND n.nspname <> 'pg_catalog'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_available_extension_versions AS v
      WHERE v.name = e.extname AND v.version = e.extversion AND v.schema = n.nspname)
UNION ALL
SELECT 'pg_catalog.pg_publication'::regclass, p.oid, 'publication', NULL, p.pubname::text, NULL,
    false
FROM pg_catalog.pg_publication AS p
WHERE p.puballtables
   OR EXISTS (SELECT FROM pg_catalog.pg_publication_rel AS r JOIN tables AS t ON t.oid = r.prrelid
        WHERE r.prpubid = p.oid)
   OR EXISTS (SELECT FROM pg_catalog.pg_publication_namespace AS r JOIN ours AS n
        ON n.oid = r.pnnspid WHERE r.pnpubid = p.oid)
UNION ALL
SELECT 'pg_catalog.pg_subscription'::regclass, s.oid, 'subscription', NULL, s.subname::text, NULL,
    false
FROM pg_catalog.pg_subscription AS s JOIN pg_catalog.pg_database AS b ON b.oid = s.subdbid
WHERE b.datname = current_database()
UNION ALL
SELECT 'pg_catalog.pg_event_trigger'::regclass, t.oid, 'event trigger', NULL, t.evtname::text, NULL,
    false
FROM pg_catalog.pg_event_trigger AS t
UNION ALL
SELECT 'pg_catalog.pg_foreign_data_wrapper'::regclass, w.oid, 'foreign-data wrapper', NULL,
    w.fdwname::text, NULL, false
FROM pg_catalog.pg_foreign_data_wrapper AS w
UNION ALL
SELECT 'pg_catalog.pg_foreign_server'::regclass, s.oid, 'foreign server', NULL, s.srvname::text,
    NULL, false
FROM pg_catalog.pg_foreign_server AS s
UNION ALL
SELECT 'pg_catalog.pg_user_mapping'::regclass, m.umid, 'user mapping', NULL,
    pg_catalog.quote_ident(m.usename) || ' for ' || pg_catalog.quote_ident(m.srvname), NULL, true
FROM pg_catalog.pg_user_mappings AS m
UNION ALL
SELECT 'pg_catalog.pg_language'::regclass, l.oid, 'language', NULL, l.lanname::text, NULL, false
FROM pg_catalog.pg_language AS l WHERE l.oid >= 16384
UNION ALL
SELECT 'pg_catalog.pg_am'::regclass, m.oid, 'access method', NULL, m.amname::text, NULL, false
FROM pg_catalog.pg_am AS m WHERE m.oid >= 16384
UNION ALL
SELECT 'pg_catalog.pg_db_role_setting'::regclass, 0::oid, 'setting of the database', NULL,
    pg_catalog.split_part(setting, '=', 1), NULL, false
FROM pg_catalog.pg_db_role_setting AS s JOIN pg_catalog.pg_database AS b ON b.oid = s.setdatabase
CROSS JOIN LATERAL unnest(s.setconfig) AS setting
WHERE b.datname = current_database()";
