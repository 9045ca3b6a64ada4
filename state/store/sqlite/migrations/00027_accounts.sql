-- +goose Up
-- The books and the bills of customers. A paid call is due from its record on, whoever writes that, until a bill takes it.
CREATE TABLE counter (name TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE entry (
  id INTEGER PRIMARY KEY,
  number INTEGER NOT NULL, at INTEGER NOT NULL, kind TEXT NOT NULL, reference TEXT NOT NULL, customer TEXT NOT NULL, actor TEXT NOT NULL,
  words TEXT NOT NULL, net INTEGER NOT NULL, vat INTEGER NOT NULL, rate INTEGER NOT NULL, calls TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX entry_reference ON entry (kind, reference);
CREATE UNIQUE INDEX entry_number ON entry (kind, number);
CREATE INDEX entry_customer ON entry (customer, id);

CREATE TABLE posting (
  entry INTEGER NOT NULL, n INTEGER NOT NULL, account TEXT NOT NULL, amount INTEGER NOT NULL,
  PRIMARY KEY (entry, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE balance (account TEXT PRIMARY KEY, amount INTEGER NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE bill (
  number INTEGER PRIMARY KEY,
  customer TEXT NOT NULL, state TEXT NOT NULL, begins INTEGER NOT NULL, until INTEGER NOT NULL, made INTEGER NOT NULL, due INTEGER NOT NULL,
  calls INTEGER NOT NULL, net INTEGER NOT NULL, vat INTEGER NOT NULL, gross INTEGER NOT NULL, rate INTEGER NOT NULL, actor TEXT NOT NULL,
  mailed INTEGER NOT NULL, reminders INTEGER NOT NULL, reminded INTEGER NOT NULL
) STRICT;
CREATE INDEX bill_customer ON bill (customer, number);
CREATE UNIQUE INDEX bill_making ON bill (customer) WHERE state = 'making';

CREATE TABLE bill_sum (
  bill INTEGER NOT NULL, line TEXT NOT NULL, country TEXT NOT NULL, calls INTEGER NOT NULL, talk INTEGER NOT NULL, net INTEGER NOT NULL,
  PRIMARY KEY (bill, line, country)
) STRICT, WITHOUT ROWID;

CREATE TABLE bill_call (
  bill INTEGER NOT NULL, line TEXT NOT NULL, country TEXT NOT NULL, call TEXT NOT NULL, talk INTEGER NOT NULL, net INTEGER NOT NULL,
  PRIMARY KEY (bill, line, country, call)
) STRICT, WITHOUT ROWID;

CREATE TABLE due_call (account TEXT NOT NULL, call TEXT NOT NULL, PRIMARY KEY (account, call)) STRICT, WITHOUT ROWID;
INSERT INTO due_call (account, call) SELECT account, id FROM cdr WHERE retail > 0;
-- +goose StatementBegin
CREATE TRIGGER cdr_due AFTER INSERT ON cdr WHEN NEW.retail > 0
BEGIN
  INSERT INTO due_call (account, call) VALUES (NEW.account, NEW.id) ON CONFLICT DO NOTHING;
END;
-- +goose StatementEnd
