CREATE EXTENSION btree_gist;
CREATE TABLE rooms (id integer, valid daterange, name text, PRIMARY KEY (id, valid WITHOUT OVERLAPS),
    CONSTRAINT rooms_name_key UNIQUE (name, valid WITHOUT OVERLAPS) INCLUDE (id));
CREATE TABLE bookings (id integer PRIMARY KEY, room integer, during daterange,
    CONSTRAINT bookings_room_fkey FOREIGN KEY (room, PERIOD during) REFERENCES rooms (id, PERIOD valid));
CREATE TABLE keys (room integer, during daterange, CONSTRAINT keys_key UNIQUE (room, during WITHOUT OVERLAPS),
    FOREIGN KEY (room, PERIOD during) REFERENCES rooms);
