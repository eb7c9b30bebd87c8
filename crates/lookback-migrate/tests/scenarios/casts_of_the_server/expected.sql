-- file: change
ALTER TABLE parcels ALTER COLUMN sent DROP DEFAULT;

-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while every row is written again
-- may fail on existing rows: values of parcels.price that cannot be converted to numeric(12,2)
-- LOSES DATA: digits of parcels.weights
-- may fail on existing rows: values of parcels.weights that cannot be converted to vector(2)
-- may fail on existing rows: values of parcels.score that cannot be converted to uuid; there is no cast from jsonb, so their text is read
-- may fail on existing rows: values of parcels.tags that cannot be converted to text[]
-- may fail on existing rows: values of parcels.marks that cannot be converted to integer[]
ALTER TABLE parcels
    ALTER COLUMN sent TYPE integer USING sent::integer,
    ALTER COLUMN opened TYPE bigint USING opened::integer::bigint,
    ALTER COLUMN price TYPE numeric(12,2),
    ALTER COLUMN flags TYPE bigint USING flags::bigint,
    ALTER COLUMN mask TYPE bit(32) USING mask::bit(32),
    ALTER COLUMN switch TYPE boolean USING switch::integer::boolean,
    ALTER COLUMN labels TYPE jsonb USING labels::jsonb,
    ALTER COLUMN place TYPE double precision[] USING place::real[]::double precision[],
    ALTER COLUMN span TYPE int4multirange USING span::int4multirange,
    ALTER COLUMN kind TYPE regclass,
    ALTER COLUMN weights TYPE vector(2),
    ALTER COLUMN body TYPE jsonb USING to_jsonb(body),
    ALTER COLUMN score TYPE uuid USING (score #>> '{}')::uuid,
    ALTER COLUMN tags TYPE text[] USING (jsonb_populate_record(NULL::pg_class, jsonb_build_object('reloptions', tags))).reloptions,
    ALTER COLUMN marks TYPE integer[] USING (jsonb_populate_record(NULL::pg_class, jsonb_build_object('reloptions', marks::jsonb))).reloptions::integer[];

ALTER TABLE parcels ALTER COLUMN sent SET DEFAULT 0;
