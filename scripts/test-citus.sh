#!/bin/sh
# Runs the tests of queries, search, storage and writer on a cluster of Citus, with distributed
# tables: `make test-citus CITUS_URL=postgres://…`, a database of the coordinator that has Citus and
# knows its workers. Each test gets a database of its own on each of the servers.
set -eu

if [ -z "${LOOKBACK_TEST_CITUS_URL:-}" ]; then
    echo "no cluster, nothing is tested: give CITUS_URL, a database of a coordinator of Citus that knows its workers"
    exit 0
fi

skip=
# What needs a trigger of rows, and so does not exist on a cluster: roll-ups, notes of changes.
skip="$skip rollups:: rollups_of_json:: matching::match_by_summaries"
# Triggers of the test itself.
skip="$skip batch_with_rows_that_fail_a_constraint_trigger deadlocks_and_timeouts_reject_no_row"
# Plans of one server.
skip="$skip explain:: filters_on_time_skip_frozen_partitions poll_does_not_read_older_partitions search::plans::"
# Definitions that Citus refuses, or only one by one: of sequences, collations, indexes.
skip="$skip unsupported_settings_and_sequences search_in_columns_of_other_collations"
# A COPY into shards does not say which record was refused; the writer finds it by halves.
skip="$skip create_many_refused_by_database_names_the_record import_many_of_taken_id_is_a_conflict_of_its_record"
# Waits for locks that are on the workers: lock_timeout and the views of locks are of one server.
skip="$skip purge_skips_record_restored_meanwhile exceeded_lock_statement_or_pool_timeout"
# Roles that may not log in, or create extensions, which Citus needs on the workers.
skip="$skip update_with_old_snapshot_and_no_right_on_sequence migrate_by_a_role_without_the_right"
# The order of a tail is not quite that of commits: shards are read in turn.
skip="$skip cancelled_waits_lose_no_record"
# Statements of the tests themselves: files and sizes of the partitions of the coordinator, updates
# with functions that Citus refuses.
skip="$skip pages_by_time_equal_all_records_sorted_after_any precreate_with_rows_in_default_partition prune_by_size_drops prune_deletes_soft_deleted status_of_a_table_matches"
# Compilers, not databases.
skip="$skip macros::model_macro_misuse"

arguments=
for name in $skip; do
    arguments="$arguments --skip $name"
done
# Some servers have few processes for the daemons of many databases.
# shellcheck disable=SC2086 # a list of words
exec ${CARGO:-cargo} test --locked -p lookback --test it -- --test-threads="${THREADS:-4}" $arguments
