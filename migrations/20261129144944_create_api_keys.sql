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

CREATE UNIQUE INDEX api_keys_prefix_key ON api_keys USING btree (prefix);

CREATE INDEX ingested_batches_created_at_idx ON ingested_batches USING btree (created_at);
