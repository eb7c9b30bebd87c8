SELECT customer = 'ada' FROM orders;
