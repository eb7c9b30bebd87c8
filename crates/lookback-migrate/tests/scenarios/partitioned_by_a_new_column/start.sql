CREATE TABLE orders (old boolean);
