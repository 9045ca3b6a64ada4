-- +goose Up
-- Who may sign in, and what was given to them: links, sessions, tokens. Of secrets there are only hashes; sealed is a TOTP secret.

CREATE TABLE person (
  id TEXT PRIMARY KEY,
  customer TEXT NOT NULL, login TEXT NOT NULL UNIQUE, name TEXT NOT NULL, mail TEXT NOT NULL, role TEXT NOT NULL,
  password TEXT NOT NULL, sealed BLOB, factors TEXT NOT NULL,
  made INTEGER NOT NULL, version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX person_customer ON person (customer, login);
CREATE INDEX person_mail ON person (mail) WHERE mail <> '';

CREATE TABLE pass (
  hash TEXT PRIMARY KEY,
  kind TEXT NOT NULL, person TEXT NOT NULL, name TEXT NOT NULL, scopes TEXT NOT NULL,
  made INTEGER NOT NULL, expires INTEGER NOT NULL, seen INTEGER NOT NULL,
  source TEXT NOT NULL, agent TEXT NOT NULL, proved INTEGER NOT NULL, data BLOB
) STRICT, WITHOUT ROWID;
CREATE INDEX pass_person ON pass (person, kind);
CREATE INDEX pass_expires ON pass (expires);
