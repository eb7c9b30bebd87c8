CREATE EXTENSION btree_gist;
CREATE TABLE rooms (id integer, valid daterange, name text, CONSTRAINT rooms_name_key UNIQUE (id, valid));
CREATE TABLE bookings (id integer PRIMARY KEY, room integer, during daterange);
