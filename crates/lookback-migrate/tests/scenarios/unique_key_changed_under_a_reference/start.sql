CREATE TABLE users (id bigint PRIMARY KEY, email text NOT NULL, name text, CONSTRAINT users_email_key UNIQUE (email));
CREATE TABLE letters (id bigint PRIMARY KEY, email text, CONSTRAINT letters_email_fkey FOREIGN KEY (email) REFERENCES users (email));
