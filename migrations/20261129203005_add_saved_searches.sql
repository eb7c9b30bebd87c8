CREATE TABLE saved_searches (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    name text NOT NULL,
    view text NOT NULL,
    parameters text NOT NULL,
    created_by bigint,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    embedding vector(16),
    CONSTRAINT saved_searches_pkey PRIMARY KEY (id)
);

CREATE UNIQUE INDEX saved_searches_name_key ON saved_searches USING btree (name) WHERE deleted_at IS NULL;
