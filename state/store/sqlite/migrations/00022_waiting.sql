-- +goose Up
-- What loosens waits as long as the customer's owner chose (account.Cooling), and is taken away when it is made or called off.
ALTER TABLE customer ADD COLUMN cooling TEXT NOT NULL DEFAULT '';

CREATE TABLE waiting (
  code TEXT PRIMARY KEY,
  customer TEXT NOT NULL, line TEXT NOT NULL, actor TEXT NOT NULL, words TEXT NOT NULL, body BLOB NOT NULL,
  made INTEGER NOT NULL, due INTEGER NOT NULL, hurried TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX waiting_customer ON waiting (customer, due);
CREATE INDEX waiting_due ON waiting (due);
