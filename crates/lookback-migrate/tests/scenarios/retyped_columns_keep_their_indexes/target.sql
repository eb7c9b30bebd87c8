CREATE TABLE tickets (
    id bigint PRIMARY KEY,
    place bigint NOT NULL,
    code varchar(40) NOT NULL,
    price bigint,
    note text,
    sold boolean
);
CREATE UNIQUE INDEX tickets_place ON tickets (place);
CREATE UNIQUE INDEX tickets_code ON tickets (code) INCLUDE (price);
CREATE INDEX tickets_price ON tickets (price DESC, place);
CREATE INDEX tickets_sold ON tickets (place) WHERE sold;
CREATE INDEX tickets_double ON tickets ((price * 2));
