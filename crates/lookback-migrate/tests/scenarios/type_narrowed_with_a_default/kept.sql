SELECT total = 21 FROM orders;
