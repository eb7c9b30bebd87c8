CREATE EXTENSION IF NOT EXISTS vector;

CREATE TYPE order_state AS ENUM ('open', 'shipped');

CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    customer text NOT NULL,
    product_id bigint NOT NULL,
    quantity integer DEFAULT 1 NOT NULL,
    state order_state DEFAULT 'open' NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    embedding vector(16),
    CONSTRAINT orders_pkey PRIMARY KEY (id),
    CONSTRAINT orders_quantity_check CHECK (quantity > 0)
);

CREATE TABLE products (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    name text NOT NULL,
    description text,
    price bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    embedding vector(16),
    CONSTRAINT products_pkey PRIMARY KEY (id)
);

CREATE INDEX orders_product_id_idx ON orders USING btree (product_id);

CREATE UNIQUE INDEX products_name_key ON products USING btree (lower(name)) WHERE deleted_at IS NULL;

ALTER TABLE orders ADD CONSTRAINT orders_product_id_fkey FOREIGN KEY (product_id) REFERENCES products (id);
