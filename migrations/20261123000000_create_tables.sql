CREATE EXTENSION IF NOT EXISTS vector;

CREATE TYPE user_role AS ENUM ('admin', 'user');

CREATE TABLE imports (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    name text NOT NULL,
    target text NOT NULL,
    "position" bigint NOT NULL,
    lines bigint NOT NULL,
    stored bigint NOT NULL,
    rejected bigint NOT NULL,
    prefix_sha256 text NOT NULL,
    finished_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT imports_pkey PRIMARY KEY (id)
);

CREATE TABLE ingest_lanes (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    name text NOT NULL,
    batch bigint NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT ingest_lanes_pkey PRIMARY KEY (id)
);

CREATE TABLE logs (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    source text NOT NULL,
    level text NOT NULL,
    message text NOT NULL,
    meta jsonb,
    trace_id text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    embedding vector(16),
    CONSTRAINT logs_pkey PRIMARY KEY (id),
    CONSTRAINT logs_level_check CHECK (level IN ('debug', 'info', 'warn', 'error')),
    CONSTRAINT logs_message_check CHECK (message ~ '\S')
) PARTITION BY RANGE (id);
CREATE TABLE logs_default PARTITION OF logs DEFAULT;

CREATE TABLE metrics (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    window_start timestamp with time zone NOT NULL,
    window_end timestamp with time zone NOT NULL,
    endpoint text NOT NULL,
    p50_latency integer NOT NULL,
    p95_latency integer NOT NULL,
    p99_latency integer NOT NULL,
    error_rate integer NOT NULL,
    traffic_count integer NOT NULL,
    request_size bigint,
    response_size bigint,
    latency_sketch bytea,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    embedding vector(16),
    CONSTRAINT metrics_pkey PRIMARY KEY (id),
    CONSTRAINT metrics_window_check CHECK (window_start = date_trunc('minute', window_start, 'UTC')
            AND window_end = window_start + interval '00:01:00')
);
COMMENT ON COLUMN metrics.p50_latency IS 'milliseconds';
COMMENT ON COLUMN metrics.p95_latency IS 'milliseconds';
COMMENT ON COLUMN metrics.p99_latency IS 'milliseconds';
COMMENT ON COLUMN metrics.error_rate IS 'errors per million requests';
COMMENT ON COLUMN metrics.request_size IS 'bytes of all requests';
COMMENT ON COLUMN metrics.response_size IS 'bytes of all responses';

CREATE TABLE request_snapshots (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    method text NOT NULL,
    path text NOT NULL,
    query jsonb,
    body jsonb,
    headers jsonb,
    user_id text,
    "timestamp" timestamp with time zone NOT NULL,
    version text NOT NULL,
    stage text NOT NULL,
    status_code integer,
    response_body jsonb,
    response_headers jsonb,
    duration integer,
    geo_country text,
    geo_region text,
    geo_city text,
    geo_lat double precision,
    geo_lon double precision,
    geo_source text,
    trace_id text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    embedding vector(16),
    CONSTRAINT request_snapshots_pkey PRIMARY KEY (id),
    CONSTRAINT request_snapshots_geo_source_check CHECK (geo_source IN ('platform', 'header', 'ip', 'none')),
    CONSTRAINT request_snapshots_status_code_check CHECK (status_code BETWEEN 100 AND 599)
) PARTITION BY RANGE (id);
CREATE TABLE request_snapshots_default PARTITION OF request_snapshots DEFAULT;
COMMENT ON COLUMN request_snapshots.duration IS 'milliseconds';

CREATE TABLE sealed_segments (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    target text NOT NULL,
    first_id bigint NOT NULL,
    last_id bigint NOT NULL,
    rows bigint NOT NULL,
    oldest timestamp with time zone,
    newest timestamp with time zone,
    has_postings boolean NOT NULL,
    trigrams bytea NOT NULL,
    is_tombstone boolean DEFAULT false NOT NULL,
    CONSTRAINT sealed_segments_pkey PRIMARY KEY (id)
);

CREATE TABLE search_blocks (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    target text NOT NULL,
    first_id bigint NOT NULL,
    last_id bigint NOT NULL,
    has_templates boolean NOT NULL,
    bloom_filter bytea NOT NULL,
    CONSTRAINT search_blocks_pkey PRIMARY KEY (id)
);

CREATE TABLE search_postings (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    target text NOT NULL,
    template_id bigint NOT NULL,
    first_id bigint NOT NULL,
    last_id bigint NOT NULL,
    rows bigint NOT NULL,
    newest_ids bigint[] NOT NULL,
    CONSTRAINT search_postings_pkey PRIMARY KEY (id)
);

CREATE TABLE search_templates (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    target text NOT NULL,
    key bigint NOT NULL,
    template text NOT NULL,
    fields text[] NOT NULL,
    vector vector(16),
    CONSTRAINT search_templates_pkey PRIMARY KEY (id)
);

CREATE TABLE settings (
    name text NOT NULL,
    value text NOT NULL,
    CONSTRAINT settings_pkey PRIMARY KEY (name)
);

CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    email text NOT NULL,
    password_hash text NOT NULL,
    role user_role DEFAULT 'user' NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    embedding vector(16),
    CONSTRAINT users_pkey PRIMARY KEY (id)
);

ALTER TABLE ingest_lanes ADD CONSTRAINT ingest_lanes_name_key UNIQUE (name);

CREATE INDEX imports_name_idx ON imports USING btree (name, id);

CREATE INDEX logs_created_at_idx ON logs USING brin (created_at) WITH (autosummarize = on);

CREATE INDEX logs_deleted_at_idx ON logs USING btree (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE INDEX logs_trace_id_idx ON logs USING btree (trace_id) WHERE trace_id IS NOT NULL;

CREATE UNIQUE INDEX metrics_endpoint_window_start_key ON metrics USING btree (endpoint, window_start) WHERE deleted_at IS NULL;

CREATE INDEX metrics_window_start_idx ON metrics USING btree (window_start);

CREATE INDEX request_snapshots_deleted_at_idx ON request_snapshots USING btree (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE INDEX request_snapshots_timestamp_idx ON request_snapshots USING brin ((timestamp)) WITH (autosummarize = on);

CREATE INDEX request_snapshots_trace_id_idx ON request_snapshots USING btree (trace_id) WHERE trace_id IS NOT NULL;

CREATE INDEX request_snapshots_user_id_idx ON request_snapshots USING btree (user_id, id) WHERE user_id IS NOT NULL;

CREATE UNIQUE INDEX sealed_segments_target_key ON sealed_segments USING btree (target, first_id) WHERE NOT is_tombstone;

CREATE INDEX search_blocks_target_idx ON search_blocks USING btree (target, first_id);

CREATE INDEX search_postings_target_idx ON search_postings USING btree (target, first_id);

CREATE INDEX search_postings_template_id_idx ON search_postings USING btree (template_id, last_id DESC) INCLUDE (id, first_id, rows);

CREATE INDEX search_templates_target_idx ON search_templates USING btree (target, key);

CREATE UNIQUE INDEX users_email_key ON users USING btree (lower(email)) WHERE deleted_at IS NULL;
