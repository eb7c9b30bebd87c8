CREATE TABLE shifts (
    id integer PRIMARY KEY,
    length interval day to hour,
    pause interval(0),
    grade "char",
    owner name,
    switches bit(6),
    host cidr,
    drawn numeric(9,1)
);
