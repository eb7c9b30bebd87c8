SELECT code = 'new' FROM orders;
