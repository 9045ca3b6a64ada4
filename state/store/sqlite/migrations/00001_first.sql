-- +goose Up
-- Times are µs UTC since 1970 (0: none), money is 1e-6, rates 1e-9 a minute, durations ns.

CREATE TABLE purse (
  id    TEXT PRIMARY KEY,
  spent INTEGER NOT NULL CHECK (spent >= 0),
  held  INTEGER NOT NULL CHECK (held >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE node_lease (
  node  TEXT PRIMARY KEY,
  until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- purses: ids joined by newlines; held is in each of them.
CREATE TABLE open_call (
  id TEXT PRIMARY KEY,
  node TEXT NOT NULL, lease INTEGER NOT NULL,
  direction TEXT NOT NULL, state TEXT NOT NULL,
  line TEXT NOT NULL, account TEXT NOT NULL, peer TEXT NOT NULL, trunk TEXT NOT NULL,
  dialled TEXT NOT NULL, number TEXT NOT NULL, class TEXT NOT NULL, country TEXT NOT NULL,
  source TEXT NOT NULL, user_agent TEXT NOT NULL, a_leg TEXT NOT NULL, b_leg TEXT NOT NULL,
  quote TEXT NOT NULL, cost TEXT NOT NULL,
  purses TEXT NOT NULL, held INTEGER NOT NULL CHECK (held >= 0),
  paid_for INTEGER NOT NULL, longest INTEGER NOT NULL,
  begun INTEGER NOT NULL, ringing INTEGER NOT NULL, answered INTEGER NOT NULL,
  snapshot BLOB
) STRICT, WITHOUT ROWID;

CREATE TABLE cdr (
  id TEXT PRIMARY KEY,
  direction TEXT NOT NULL, line TEXT NOT NULL, account TEXT NOT NULL, peer TEXT NOT NULL, trunk TEXT NOT NULL,
  dialled TEXT NOT NULL, number TEXT NOT NULL, class TEXT NOT NULL, country TEXT NOT NULL,
  destination TEXT NOT NULL, prefix TEXT NOT NULL, per_minute INTEGER NOT NULL,
  source TEXT NOT NULL, user_agent TEXT NOT NULL, a_leg TEXT NOT NULL, b_leg TEXT NOT NULL,
  begun INTEGER NOT NULL, answered INTEGER NOT NULL, ended INTEGER NOT NULL,
  ring INTEGER NOT NULL, talk INTEGER NOT NULL, retail INTEGER NOT NULL, cost INTEGER NOT NULL,
  ended_by TEXT NOT NULL, reason TEXT NOT NULL, words TEXT NOT NULL, status INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX cdr_line ON cdr (line, id);
CREATE INDEX cdr_account ON cdr (account, id);
CREATE INDEX cdr_begun ON cdr (begun);

CREATE TABLE fact (
  seq INTEGER PRIMARY KEY,
  at INTEGER NOT NULL, kind TEXT NOT NULL,
  line TEXT NOT NULL, account TEXT NOT NULL, call TEXT NOT NULL,
  body BLOB
) STRICT;
CREATE INDEX fact_line ON fact (line, seq) WHERE line <> '';
CREATE INDEX fact_call ON fact (call, seq) WHERE call <> '';

CREATE TABLE customer (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL, zone TEXT NOT NULL, tariff TEXT NOT NULL,
  settings TEXT NOT NULL, created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE line (
  id TEXT PRIMARY KEY,
  customer TEXT NOT NULL REFERENCES customer (id),
  number TEXT NOT NULL, name TEXT NOT NULL, sealed BLOB,
  locked INTEGER NOT NULL, lock_why TEXT NOT NULL,
  settings TEXT NOT NULL, created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX line_number ON line (number) WHERE number <> '';
CREATE INDEX line_customer ON line (customer);

CREATE TABLE trunk (
  name TEXT PRIMARY KEY,
  addresses TEXT NOT NULL, transport TEXT NOT NULL, login TEXT NOT NULL, sealed BLOB,
  sources TEXT NOT NULL, priority INTEGER NOT NULL, deck TEXT NOT NULL, format TEXT NOT NULL,
  emergency INTEGER NOT NULL, disabled INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE request (
  id INTEGER PRIMARY KEY,
  line TEXT NOT NULL, field TEXT NOT NULL, n INTEGER NOT NULL, until INTEGER NOT NULL, why TEXT NOT NULL,
  state TEXT NOT NULL, made INTEGER NOT NULL, decided INTEGER NOT NULL, decided_by TEXT NOT NULL, note TEXT NOT NULL
) STRICT;

CREATE TABLE deck (
  name TEXT NOT NULL, version INTEGER NOT NULL,
  kind TEXT NOT NULL, rows INTEGER NOT NULL, imported INTEGER NOT NULL, imported_by TEXT NOT NULL, source TEXT NOT NULL,
  PRIMARY KEY (name, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE deck_row (
  deck TEXT NOT NULL, version INTEGER NOT NULL, n INTEGER NOT NULL,
  prefix INTEGER NOT NULL, short INTEGER NOT NULL, name TEXT NOT NULL,
  connect INTEGER NOT NULL, minimum INTEGER NOT NULL, first INTEGER NOT NULL, step INTEGER NOT NULL,
  peak INTEGER NOT NULL, off_peak INTEGER NOT NULL, weekend INTEGER NOT NULL,
  PRIMARY KEY (deck, version, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE registration (
  line TEXT NOT NULL, contact TEXT NOT NULL,
  received TEXT NOT NULL, transport TEXT NOT NULL, call_id TEXT NOT NULL, cseq INTEGER NOT NULL,
  user_agent TEXT NOT NULL, expires INTEGER NOT NULL, since INTEGER NOT NULL,
  PRIMARY KEY (line, contact)
) STRICT, WITHOUT ROWID;

CREATE TABLE ping (
  id INTEGER PRIMARY KEY,
  n INTEGER NOT NULL
) STRICT;
INSERT INTO ping (id, n) VALUES (1, 0);
