CREATE TABLE users (id bigint PRIMARY KEY, email text NOT NULL);
CREATE UNIQUE INDEX users_email_idx ON users (email DESC);
CREATE TABLE letters (id bigint PRIMARY KEY, email text, CONSTRAINT letters_email_fkey FOREIGN KEY (email) REFERENCES users (email));
