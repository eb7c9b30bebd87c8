-- The tables of Lookback. Five columns are common to all: id, created_at,
-- updated_at, deleted_at (soft delete) and embedding (the vector of the
-- search fields, see docs/guide/search.md).

CREATE EXTENSION IF NOT EXISTS vector;

CREATE TYPE user_role AS ENUM ('admin', 'user');

CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY,
    email text NOT NULL,
    password_hash text NOT NULL,
    role user_role NOT NULL DEFAULT 'user',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    embedding vector(16),
    CONSTRAINT users_pkey PRIMARY KEY (id)
);

-- An e-mail is taken by a live user only, whatever the case of its letters.
CREATE UNIQUE INDEX users_email_key ON users (lower(email)) WHERE deleted_at IS NULL;

-- Partitioned by range of id, so that id stays the primary key and old rows
-- can be dropped a partition at a time. The default partition takes every row
-- that no other does. It has no search index: those make inserts 10 to 300
-- times slower, and belong on partitions that take no more rows.
CREATE TABLE logs (
    id bigint GENERATED ALWAYS AS IDENTITY,
    source text NOT NULL,
    level text NOT NULL,
    message text NOT NULL,
    meta jsonb,
    trace_id text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    embedding vector(16),
    CONSTRAINT logs_pkey PRIMARY KEY (id),
    CONSTRAINT logs_level_check CHECK (level IN ('debug', 'info', 'warn', 'error')),
    CONSTRAINT logs_message_check CHECK (message ~ '\S')
) PARTITION BY RANGE (id);

CREATE TABLE logs_default PARTITION OF logs DEFAULT;

CREATE TABLE metrics (
    id bigint GENERATED ALWAYS AS IDENTITY,
    window_start timestamptz NOT NULL,
    window_end timestamptz NOT NULL,
    endpoint text NOT NULL,
    p50_latency integer NOT NULL,
    p95_latency integer NOT NULL,
    p99_latency integer NOT NULL,
    error_rate integer NOT NULL,
    traffic_count integer NOT NULL,
    request_size bigint,
    response_size bigint,
    latency_sketch bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    embedding vector(16),
    CONSTRAINT metrics_pkey PRIMARY KEY (id),
    CONSTRAINT metrics_window_check CHECK (
        window_start = date_trunc('minute', window_start, 'UTC')
        AND window_end = window_start + interval '60 seconds'
    )
);

COMMENT ON COLUMN metrics.p50_latency IS 'milliseconds';
COMMENT ON COLUMN metrics.p95_latency IS 'milliseconds';
COMMENT ON COLUMN metrics.p99_latency IS 'milliseconds';
COMMENT ON COLUMN metrics.error_rate IS 'errors per million requests';
COMMENT ON COLUMN metrics.request_size IS 'bytes of all requests';
COMMENT ON COLUMN metrics.response_size IS 'bytes of all responses';

CREATE UNIQUE INDEX metrics_endpoint_window_start_key
    ON metrics (endpoint, window_start) WHERE deleted_at IS NULL;

CREATE TABLE request_snapshots (
    id bigint GENERATED ALWAYS AS IDENTITY,
    method text NOT NULL,
    path text NOT NULL,
    query jsonb,
    body jsonb,
    headers jsonb,
    user_id text,
    timestamp timestamptz NOT NULL,
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
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    embedding vector(16),
    CONSTRAINT request_snapshots_pkey PRIMARY KEY (id),
    CONSTRAINT request_snapshots_status_code_check CHECK (status_code BETWEEN 100 AND 599),
    CONSTRAINT request_snapshots_geo_source_check
        CHECK (geo_source IN ('platform', 'header', 'ip', 'none'))
) PARTITION BY RANGE (id);

COMMENT ON COLUMN request_snapshots.duration IS 'milliseconds';

CREATE TABLE request_snapshots_default PARTITION OF request_snapshots DEFAULT;

-- How far each import has come.
CREATE TABLE imports (
    id bigint GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL,
    target text NOT NULL,
    position bigint NOT NULL,
    lines bigint NOT NULL,
    stored bigint NOT NULL,
    rejected bigint NOT NULL,
    prefix_sha256 text NOT NULL,
    finished_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    embedding vector(16),
    CONSTRAINT imports_pkey PRIMARY KEY (id)
);

CREATE INDEX imports_name_idx ON imports (name, id) WHERE deleted_at IS NULL;

-- Facts about the database itself, such as the version of the encoder.
CREATE TABLE settings (
    id bigint GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL,
    value text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    embedding vector(16),
    CONSTRAINT settings_pkey PRIMARY KEY (id)
);

CREATE UNIQUE INDEX settings_name_key ON settings (name) WHERE deleted_at IS NULL;
