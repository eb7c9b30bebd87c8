SELECT (tone, seat) = ('red'::tone, 'a') FROM rooms;
