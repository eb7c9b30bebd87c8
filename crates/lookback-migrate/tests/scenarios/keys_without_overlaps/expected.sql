-- file: change
ALTER TABLE rooms DROP CONSTRAINT rooms_name_key;

CREATE TABLE keys (
    room integer,
    during daterange
);

-- may fail on existing rows: later changes of rows that break it, until they are repaired
ALTER TABLE rooms ADD CONSTRAINT rooms_id__filled CHECK (id IS NOT NULL) NOT VALID;

-- may fail on existing rows: later changes of rows that break it, until they are repaired
ALTER TABLE rooms ADD CONSTRAINT rooms_valid__filled CHECK (valid IS NOT NULL) NOT VALID;

ALTER TABLE keys ADD CONSTRAINT keys_key UNIQUE (room, during WITHOUT OVERLAPS);

-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while the index is built
-- may fail on existing rows: rows with the same key whose ranges overlap or are empty
ALTER TABLE rooms ADD CONSTRAINT rooms_name_key UNIQUE (name, valid WITHOUT OVERLAPS) INCLUDE (id);

-- locks the table: ACCESS EXCLUSIVE (no reads, no writes) while the index is built
-- may fail on existing rows: rows with the same key whose ranges overlap or are empty
ALTER TABLE rooms ADD CONSTRAINT rooms_pkey PRIMARY KEY (id, valid WITHOUT OVERLAPS);

ALTER TABLE bookings ADD CONSTRAINT bookings_room_fkey FOREIGN KEY (room, PERIOD during) REFERENCES rooms (id, PERIOD valid) NOT VALID;

ALTER TABLE keys ADD CONSTRAINT keys_room_during_fkey FOREIGN KEY (room, PERIOD during) REFERENCES rooms (id, PERIOD valid);

-- file: change_validate
-- may fail on existing rows: rows that break it; nothing is changed then: repair them and run this again
ALTER TABLE rooms VALIDATE CONSTRAINT rooms_id__filled;

-- may fail on existing rows: rows that break it; nothing is changed then: repair them and run this again
ALTER TABLE rooms VALIDATE CONSTRAINT rooms_valid__filled;

-- may fail on existing rows: rows that break it; nothing is changed then: repair them and run this again
ALTER TABLE bookings VALIDATE CONSTRAINT bookings_room_fkey;

-- file: change_finish
ALTER TABLE rooms ALTER COLUMN id SET NOT NULL;

ALTER TABLE rooms DROP CONSTRAINT rooms_id__filled;

ALTER TABLE rooms ALTER COLUMN valid SET NOT NULL;

ALTER TABLE rooms DROP CONSTRAINT rooms_valid__filled;
