SELECT k = 'b' FROM kinds;
