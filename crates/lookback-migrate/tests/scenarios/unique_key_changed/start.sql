CREATE TABLE users (id bigint PRIMARY KEY, tenant bigint NOT NULL, email text NOT NULL, CONSTRAINT users_email_key UNIQUE (email));
