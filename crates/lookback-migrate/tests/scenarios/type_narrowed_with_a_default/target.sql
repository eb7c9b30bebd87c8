CREATE TABLE orders (total integer DEFAULT 3);
