-- no-transaction
CREATE INDEX CONCURRENTLY orders_waiting_idx ON orders USING btree (customer) WHERE state = 'open';
