CREATE TYPE api_key_scope AS ENUM ('ingest', 'read', 'admin');

CREATE TABLE api_keys (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    name text NOT NULL,
    prefix text NOT NULL,
    key_hash bytea NOT NULL,
    scope api_key_scope NOT NULL,
    expires_at timestamp with time zone,
    last_used_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    embedding vector(16),
    CONSTRAINT api_keys_pkey PRIMARY KEY (id)
);

CREATE TABLE ingested_batches (
    key text NOT NULL,
    digest bigint NOT NULL,
    outcome jsonb,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT ingested_batches_pkey PRIMARY KEY (key)
);

CREATE TABLE rollup_cells (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    range_id bigint NOT NULL,
    unit integer NOT NULL,
    depth integer NOT NULL,
    keys text[] NOT NULL,
    is_deleted boolean NOT NULL,
    first_bucket integer NOT NULL,
    last_bucket integer NOT NULL,
    buckets integer[] NOT NULL,
    counts integer[] NOT NULL,
    CONSTRAINT rollup_cells_pkey PRIMARY KEY (id)
);

CREATE TABLE rollup_corrections (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    target text NOT NULL,
    record_id bigint,
    amount smallint NOT NULL,
    is_removal boolean NOT NULL,
    created_at timestamp with time zone,
    keys text[],
    is_deleted boolean NOT NULL,
    CONSTRAINT rollup_corrections_pkey PRIMARY KEY (id)
);

CREATE TABLE rollup_ranges (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    target text NOT NULL,
    first_id bigint NOT NULL,
    last_id bigint NOT NULL,
    definition text NOT NULL,
    partitions text[] NOT NULL,
    ids int8multirange NOT NULL,
    rows bigint NOT NULL,
    finest integer[] NOT NULL,
    CONSTRAINT rollup_ranges_pkey PRIMARY KEY (id)
);

CREATE UNIQUE INDEX api_keys_prefix_key ON api_keys USING btree (prefix);

CREATE INDEX ingested_batches_created_at_idx ON ingested_batches USING btree (created_at);

CREATE INDEX rollup_cells_range_id_idx ON rollup_cells USING btree (range_id, depth, unit);

CREATE INDEX rollup_corrections_target_idx ON rollup_corrections USING btree (target, record_id);

CREATE INDEX rollup_ranges_target_idx ON rollup_ranges USING btree (target, first_id);
