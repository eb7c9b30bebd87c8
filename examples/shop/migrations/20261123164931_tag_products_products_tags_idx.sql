-- no-transaction
CREATE INDEX CONCURRENTLY products_tags_idx ON products USING gin (tags);
