CREATE TABLE "Order" ("user" bigint PRIMARY KEY, "select" text);
