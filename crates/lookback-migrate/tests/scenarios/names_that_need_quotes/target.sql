CREATE TABLE "Order" ("user" bigint PRIMARY KEY, "select" text NOT NULL, "Gr ""x""" integer, CONSTRAINT "Check it" CHECK ("select" <> ''));
CREATE INDEX "From" ON "Order" ("select", lower("select"));
