CREATE TABLE ingest_lanes (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    name text NOT NULL,
    batch bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    embedding vector(16),
    CONSTRAINT ingest_lanes_pkey PRIMARY KEY (id)
);

CREATE TABLE sealed_segments (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    target text NOT NULL,
    first_id bigint NOT NULL,
    last_id bigint NOT NULL,
    rows bigint NOT NULL,
    oldest timestamp with time zone,
    newest timestamp with time zone,
    has_kinds boolean NOT NULL,
    odd_letters bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    embedding vector(16),
    CONSTRAINT sealed_segments_pkey PRIMARY KEY (id)
);

CREATE TABLE search_blocks (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    target text NOT NULL,
    first_id bigint NOT NULL,
    last_id bigint NOT NULL,
    has_templates boolean NOT NULL,
    grams bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    embedding vector(16),
    CONSTRAINT search_blocks_pkey PRIMARY KEY (id)
);

CREATE TABLE search_kinds (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    target text NOT NULL,
    template_id bigint NOT NULL,
    first_id bigint NOT NULL,
    last_id bigint NOT NULL,
    rows bigint NOT NULL,
    newest_ids bigint[] NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    embedding vector(16),
    CONSTRAINT search_kinds_pkey PRIMARY KEY (id)
);

CREATE TABLE search_templates (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    target text NOT NULL,
    key bigint NOT NULL,
    template text NOT NULL,
    fields text[] NOT NULL,
    vector vector(16),
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    embedding vector(16),
    CONSTRAINT search_templates_pkey PRIMARY KEY (id)
);

CREATE UNIQUE INDEX ingest_lanes_name_key ON ingest_lanes USING btree (name) WHERE deleted_at IS NULL;

CREATE UNIQUE INDEX sealed_segments_target_key ON sealed_segments USING btree (target, first_id) WHERE deleted_at IS NULL;

CREATE INDEX search_blocks_target_idx ON search_blocks USING btree (target, first_id);

CREATE INDEX search_kinds_target_idx ON search_kinds USING btree (target, first_id);

CREATE INDEX search_kinds_template_id_idx ON search_kinds USING btree (template_id, last_id DESC) INCLUDE (id, first_id, rows) WHERE deleted_at IS NULL;

CREATE INDEX search_templates_target_idx ON search_templates USING btree (target, key);
