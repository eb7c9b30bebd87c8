CREATE TABLE parents (id serial PRIMARY KEY, small smallserial, large bigserial);
CREATE TABLE children (id integer GENERATED ALWAYS AS IDENTITY, parent integer REFERENCES parents);
ALTER SEQUENCE parents_id_seq RENAME TO "Odd 'name'";
