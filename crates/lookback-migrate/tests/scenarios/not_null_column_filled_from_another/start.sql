CREATE TABLE memos (id bigint PRIMARY KEY, title text NOT NULL);
