//! Settings of an index that no model has. Only the database knows them, so the SQL reads them.

use crate::syntax::{Name, literal, quoted};

/// Stores the settings of the index until the end of the transaction.
pub(super) fn keep(table: &Name, name: &str, number: usize) -> String {
    let index = literal(&table.beside(name).to_string());
    format!(
        "SELECT set_config('{}', (SELECT jsonb_strip_nulls(jsonb_build_object(
    'comment', obj_description(i.indexrelid, 'pg_class'),
    'constraint_comment', (SELECT obj_description(c.oid, 'pg_constraint') FROM pg_constraint AS c
        WHERE c.conindid = i.indexrelid AND c.conrelid = i.indrelid AND c.contype <> 'f'),
    'is_clustered', i.indisclustered, 'is_replica_identity', i.indisreplident,
    'statistics', (SELECT jsonb_object_agg(pg_get_indexdef(a.attrelid, a.attnum, true), \
a.attstattarget)
        FROM pg_attribute AS a WHERE a.attrelid = i.indexrelid AND a.attstattarget >= 0)))::text
    FROM pg_index AS i WHERE i.indexrelid = to_regclass({index})), true)",
        setting(number)
    )
}

/// Gives the stored settings to the index of this name.
pub(super) fn restore(table: &Name, name: &str, number: usize, is_constraint: bool) -> String {
    let index = table.beside(name);
    let (index_text, name) = (literal(&index.to_string()), quoted(name));
    let constraint_comment = if is_constraint {
        format!(
            "
    IF kept ? 'constraint_comment' THEN
        EXECUTE format({}, kept ->> 'constraint_comment');
    END IF;",
            template(
                &format!("COMMENT ON CONSTRAINT {name} ON {table} IS "),
                "%L"
            )
        )
    } else {
        String::new()
    };
    format!(
        "DO $kept$
DECLARE
    kept jsonb := nullif(current_setting('{}', true), '');
    part record;
BEGIN
    IF kept ? 'comment' THEN
        EXECUTE format({}, kept ->> 'comment');
    END IF;{constraint_comment}
    IF (kept ->> 'is_clustered')::boolean THEN
        ALTER TABLE {table} CLUSTER ON {name};
    END IF;
    IF (kept ->> 'is_replica_identity')::boolean THEN
        ALTER TABLE {table} REPLICA IDENTITY USING INDEX {name};
    END IF;
    FOR part IN SELECT a.attnum, s.value FROM jsonb_each_text(kept -> 'statistics') AS s
        JOIN pg_attribute AS a ON a.attrelid = to_regclass({index_text})
            AND pg_get_indexdef(a.attrelid, a.attnum, true) = s.key
    LOOP
        EXECUTE format({}, part.attnum, part.value);
    END LOOP;
END $kept$",
        setting(number),
        template(&format!("COMMENT ON INDEX {index} IS "), "%L"),
        template(
            &format!("ALTER INDEX {index} ALTER COLUMN "),
            "%s SET STATISTICS %s"
        ),
    )
}

fn setting(number: usize) -> String {
    format!("lookback.index_{number}")
}

/// A string for `format`, with `text` as it is.
fn template(text: &str, places: &str) -> String {
    literal(&format!("{}{places}", text.replace('%', "%%")))
}
