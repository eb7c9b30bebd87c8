CREATE TABLE alert_changes (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    rule_id bigint NOT NULL,
    rule_name text NOT NULL,
    state text NOT NULL,
    value double precision,
    message text NOT NULL,
    payload jsonb NOT NULL,
    delivery_key text NOT NULL,
    delivery text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    next_attempt_at timestamp with time zone,
    delivered_at timestamp with time zone,
    last_error text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    embedding vector(16),
    CONSTRAINT alert_changes_pkey PRIMARY KEY (id)
);

CREATE TABLE alert_rules (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    name text NOT NULL,
    subject text NOT NULL,
    filter text,
    measure text NOT NULL,
    comparison text DEFAULT 'above' NOT NULL,
    threshold double precision DEFAULT 0 NOT NULL,
    period integer DEFAULT 300 NOT NULL,
    fire_after integer DEFAULT 0 NOT NULL,
    resolve_after integer DEFAULT 60 NOT NULL,
    webhook_url text,
    enabled boolean DEFAULT true NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    embedding vector(16),
    CONSTRAINT alert_rules_pkey PRIMARY KEY (id)
);
COMMENT ON COLUMN alert_rules.period IS 'seconds';
COMMENT ON COLUMN alert_rules.fire_after IS 'seconds';
COMMENT ON COLUMN alert_rules.resolve_after IS 'seconds';

CREATE TABLE alert_statuses (
    rule_id bigint NOT NULL,
    phase text NOT NULL,
    since timestamp with time zone NOT NULL,
    value double precision,
    evaluated_at timestamp with time zone,
    problem text,
    next_at timestamp with time zone NOT NULL,
    claim bigint NOT NULL,
    CONSTRAINT alert_statuses_pkey PRIMARY KEY (rule_id)
);

CREATE INDEX alert_changes_pending_idx ON alert_changes USING btree (rule_id, id) WHERE delivery = 'pending';

CREATE INDEX alert_changes_rule_id_idx ON alert_changes USING btree (rule_id, id);

CREATE UNIQUE INDEX alert_rules_name_key ON alert_rules USING btree (name) WHERE deleted_at IS NULL;
