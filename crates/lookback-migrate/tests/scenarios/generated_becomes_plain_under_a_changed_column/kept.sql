SELECT price = 21 AND twice = 42 FROM sales;
