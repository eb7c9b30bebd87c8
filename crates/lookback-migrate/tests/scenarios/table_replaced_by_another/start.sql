CREATE TABLE orders (id integer PRIMARY KEY, code text, CONSTRAINT orders_code_key UNIQUE (code));
CREATE INDEX orders_lower_code ON orders (lower(code));
CREATE TABLE orders_next (
    id integer PRIMARY KEY, code text, total numeric,
    CONSTRAINT orders_next_code_key UNIQUE (code),
    CONSTRAINT orders_next_total_check CHECK (total >= 0)
);
CREATE INDEX orders_next_lower_code ON orders_next (lower(code));
CREATE TABLE lines (id integer PRIMARY KEY, "order" integer REFERENCES orders);
