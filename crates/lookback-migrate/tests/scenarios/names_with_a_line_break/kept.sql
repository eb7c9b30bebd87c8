SELECT count(*) = 1 FROM products;
