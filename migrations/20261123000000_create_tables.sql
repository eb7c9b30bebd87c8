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
    deleted_at timestamp with time zone,
    embedding vector(16),
    CONSTRAINT imports_pkey PRIMARY KEY (id)
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

CREATE TABLE settings (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    name text NOT NULL,
    value text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    embedding vector(16),
    CONSTRAINT settings_pkey PRIMARY KEY (id)
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

CREATE INDEX imports_name_idx ON imports USING btree (name, id) WHERE deleted_at IS NULL;

CREATE UNIQUE INDEX metrics_endpoint_window_start_key ON metrics USING btree (endpoint, window_start) WHERE deleted_at IS NULL;

CREATE UNIQUE INDEX settings_name_key ON settings USING btree (name) WHERE deleted_at IS NULL;

CREATE UNIQUE INDEX users_email_key ON users USING btree (lower(email)) WHERE deleted_at IS NULL;
