CREATE TABLE orders (total bigint);
