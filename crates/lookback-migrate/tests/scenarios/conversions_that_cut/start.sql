CREATE TABLE shifts (
    id integer PRIMARY KEY,
    length interval,
    pause interval day to second,
    grade text,
    owner character varying,
    switches text,
    host inet,
    drawn numeric(9,3)
);
