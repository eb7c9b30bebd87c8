CREATE TABLE tickets (
    id integer PRIMARY KEY,
    place integer NOT NULL,
    code varchar(20) NOT NULL,
    price integer,
    note text,
    sold boolean
);
CREATE UNIQUE INDEX tickets_place ON tickets (place);
CREATE UNIQUE INDEX tickets_code ON tickets (code) INCLUDE (price);
CREATE INDEX tickets_price ON tickets (price DESC, place);
CREATE INDEX tickets_sold ON tickets (place) WHERE sold;
CREATE INDEX tickets_double ON tickets ((price * 2));
ALTER TABLE tickets REPLICA IDENTITY USING INDEX tickets_place;
ALTER TABLE tickets CLUSTER ON tickets_price;
COMMENT ON INDEX tickets_place IS 'the seller''s 100%';
COMMENT ON INDEX tickets_code IS 'of the printer';
