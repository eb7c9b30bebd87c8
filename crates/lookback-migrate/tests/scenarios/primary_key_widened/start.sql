CREATE TABLE visits (id bigint NOT NULL, day date NOT NULL, CONSTRAINT visits_pkey PRIMARY KEY (id));
