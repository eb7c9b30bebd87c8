CREATE TABLE logs (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text, CONSTRAINT logs_email_key UNIQUE (email));
