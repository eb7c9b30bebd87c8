CREATE TABLE parents (id bigserial PRIMARY KEY, small serial, large serial);
CREATE TABLE children (id bigint GENERATED ALWAYS AS IDENTITY, parent bigint REFERENCES parents);
