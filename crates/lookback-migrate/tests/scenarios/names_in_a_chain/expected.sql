-- file: change
ALTER TABLE second RENAME TO second__swap;

ALTER TABLE first RENAME TO second;

-- LOSES DATA: every row of third
DROP TABLE third;

ALTER TABLE second__swap RENAME TO third;

ALTER TABLE third RENAME CONSTRAINT second_pkey TO third_pkey;

ALTER TABLE second RENAME CONSTRAINT first_pkey TO second_pkey;

ALTER INDEX second_v RENAME TO third_v;

ALTER INDEX first_v RENAME TO second_v;

CREATE TABLE first (
    id integer NOT NULL,
    v boolean,
    CONSTRAINT first_pkey PRIMARY KEY (id)
);

CREATE INDEX first_v ON first USING btree (v);
