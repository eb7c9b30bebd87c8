SELECT second.v = 'one' AND third.w = 'zwei' FROM second, third;
