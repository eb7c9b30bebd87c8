SELECT count(*) = 2 FROM rooms
