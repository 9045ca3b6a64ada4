-- +goose Up
-- What the stages that follow the journal keep. JSON is TEXT where the store itself reads it, BLOB where it only keeps it.

ALTER TABLE customer ADD COLUMN contacts TEXT NOT NULL DEFAULT '';
ALTER TABLE customer ADD COLUMN courtesy TEXT NOT NULL DEFAULT '';
ALTER TABLE line ADD COLUMN former TEXT NOT NULL DEFAULT '';
ALTER TABLE line ADD COLUMN honeypot INTEGER NOT NULL DEFAULT 0;
ALTER TABLE line ADD COLUMN courtesy TEXT NOT NULL DEFAULT '';

-- How far each stage has come in fact.
CREATE TABLE stage_cursor (
  stage TEXT PRIMARY KEY,
  seq   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE finding (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL, severity TEXT NOT NULL, line TEXT NOT NULL, account TEXT NOT NULL, source TEXT NOT NULL,
  words TEXT NOT NULL, at INTEGER NOT NULL, last_at INTEGER NOT NULL, times INTEGER NOT NULL, evidence BLOB,
  closed INTEGER NOT NULL, closed_by TEXT NOT NULL
) STRICT;
CREATE INDEX finding_line ON finding (line, id) WHERE line <> '';
CREATE INDEX finding_account ON finding (account, id) WHERE account <> '';
CREATE INDEX finding_open ON finding (id) WHERE closed = 0;

-- subject: line/ID or account/ID.
CREATE TABLE unbilled (
  subject TEXT PRIMARY KEY,
  amount  INTEGER NOT NULL,
  told    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE device (
  line TEXT NOT NULL, place TEXT NOT NULL, family TEXT NOT NULL,
  address TEXT NOT NULL, agent TEXT NOT NULL, country TEXT NOT NULL, asn INTEGER NOT NULL, network TEXT NOT NULL,
  first_at INTEGER NOT NULL, last_at INTEGER NOT NULL, days INTEGER NOT NULL, verdict TEXT NOT NULL,
  PRIMARY KEY (line, place, family)
) STRICT, WITHOUT ROWID;

-- until 0: without end.
CREATE TABLE ban (
  net TEXT PRIMARY KEY,
  until INTEGER NOT NULL, made INTEGER NOT NULL, made_by TEXT NOT NULL, why TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX ban_until ON ban (until) WHERE until > 0;

CREATE TABLE notice (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL, line TEXT NOT NULL, account TEXT NOT NULL, at INTEGER NOT NULL, data BLOB
) STRICT;
CREATE INDEX notice_line ON notice (line, id) WHERE line <> '';
CREATE INDEX notice_account ON notice (account, id) WHERE account <> '';

CREATE TABLE delivery (
  notice INTEGER NOT NULL REFERENCES notice (id),
  person TEXT NOT NULL, channel TEXT NOT NULL,
  address TEXT NOT NULL, state TEXT NOT NULL, tries INTEGER NOT NULL, claim INTEGER NOT NULL, next INTEGER NOT NULL,
  sent INTEGER NOT NULL, error TEXT NOT NULL, ref TEXT NOT NULL,
  PRIMARY KEY (notice, person, channel)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_state ON delivery (state, next, notice);

CREATE TABLE link (
  hash TEXT PRIMARY KEY,
  notice INTEGER NOT NULL REFERENCES notice (id),
  person TEXT NOT NULL, action TEXT NOT NULL, line TEXT NOT NULL, data BLOB,
  expires INTEGER NOT NULL, used INTEGER NOT NULL, result TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX link_notice ON link (notice);
