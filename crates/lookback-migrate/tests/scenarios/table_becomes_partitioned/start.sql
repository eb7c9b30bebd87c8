CREATE TABLE logs (id bigint NOT NULL, a text, CONSTRAINT logs_pkey PRIMARY KEY (id));
