SELECT twice = 42 FROM sales;
