ALTER TABLE products ADD COLUMN tags text[] DEFAULT ARRAY[]::text[] NOT NULL;

ALTER TABLE products ADD COLUMN details jsonb;
