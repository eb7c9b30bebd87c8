CREATE TABLE logs (id bigint NOT NULL, a text, CONSTRAINT logs_pkey PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE logs_default PARTITION OF logs DEFAULT;
CREATE INDEX logs_a_idx ON logs (a);
