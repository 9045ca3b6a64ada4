-- +goose Up
-- Who may sign in, and what was given to them: links, sessions, tokens. Of secrets there are only hashes; sealed is a TOTP secret.

CREATE TABLE person (
  id TEXT COLLATE "C" PRIMARY KEY,
  customer TEXT COLLATE "C" NOT NULL, login TEXT COLLATE "C" NOT NULL UNIQUE, name TEXT NOT NULL, mail TEXT COLLATE "C" NOT NULL, role TEXT NOT NULL,
  password TEXT NOT NULL, sealed BYTEA, factors TEXT NOT NULL,
  made BIGINT NOT NULL, version BIGINT NOT NULL
);
CREATE INDEX person_customer ON person (customer, login);
CREATE INDEX person_mail ON person (mail) WHERE mail <> '';

CREATE TABLE pass (
  hash TEXT COLLATE "C" PRIMARY KEY,
  kind TEXT COLLATE "C" NOT NULL, person TEXT COLLATE "C" NOT NULL, name TEXT NOT NULL, scopes TEXT NOT NULL,
  made BIGINT NOT NULL, expires BIGINT NOT NULL, seen BIGINT NOT NULL,
  source TEXT NOT NULL, agent TEXT NOT NULL, proved BIGINT NOT NULL, data BYTEA
);
CREATE INDEX pass_person ON pass (person, kind);
CREATE INDEX pass_expires ON pass (expires);
