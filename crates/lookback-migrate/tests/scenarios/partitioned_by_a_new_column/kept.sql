SELECT count(*) = 2 AND min(new) = 7 FROM orders;
