SELECT a = 'first' AND b = 'second' FROM spare, live;
