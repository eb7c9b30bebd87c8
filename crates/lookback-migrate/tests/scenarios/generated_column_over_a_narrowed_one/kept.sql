SELECT double = 42 FROM orders
