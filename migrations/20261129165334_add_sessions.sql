CREATE TABLE login_attempts (
    subject text NOT NULL,
    failures integer NOT NULL,
    last_failed_at timestamp with time zone,
    blocked_until timestamp with time zone NOT NULL,
    succeeded_at timestamp with time zone,
    CONSTRAINT login_attempts_pkey PRIMARY KEY (subject)
);

CREATE TABLE one_time_passwords (
    user_id bigint NOT NULL,
    password_hash_hash bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT one_time_passwords_pkey PRIMARY KEY (user_id)
);

CREATE TABLE sessions (
    token_hash bytea NOT NULL,
    user_id bigint NOT NULL,
    user_hash bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    last_used_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT sessions_pkey PRIMARY KEY (token_hash)
);

CREATE INDEX login_attempts_last_failed_at_idx ON login_attempts USING btree (last_failed_at);

CREATE INDEX sessions_user_id_idx ON sessions USING btree (user_id);
