CREATE TABLE orders (
    id integer PRIMARY KEY, code text, total numeric,
    CONSTRAINT orders_code_key UNIQUE (code),
    CONSTRAINT orders_total_check CHECK (total >= 0)
);
CREATE INDEX orders_lower_code ON orders (lower(code));
CREATE TABLE lines (id integer PRIMARY KEY, "order" integer REFERENCES orders);
