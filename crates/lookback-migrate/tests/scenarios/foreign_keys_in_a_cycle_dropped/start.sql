CREATE TABLE a (id bigint PRIMARY KEY, b bigint);
CREATE TABLE b (id bigint PRIMARY KEY, a bigint REFERENCES a (id));
ALTER TABLE a ADD CONSTRAINT a_b_fkey FOREIGN KEY (b) REFERENCES b (id);
CREATE TABLE c (id bigint);
