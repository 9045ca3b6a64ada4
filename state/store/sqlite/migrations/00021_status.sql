-- +goose Up
-- The public status: how often what happened in a stretch of time, incidents with their entries, and who is sent them by mail.

CREATE TABLE tally (what TEXT NOT NULL, at INTEGER NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (what, at)) STRICT, WITHOUT ROWID;

CREATE TABLE incident (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  component TEXT NOT NULL, node TEXT NOT NULL, kind TEXT NOT NULL, title TEXT NOT NULL,
  began INTEGER NOT NULL, ended INTEGER NOT NULL, updates TEXT NOT NULL, version INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX incident_open ON incident (component, node) WHERE ended = 0 AND kind = 'measured';

CREATE TABLE subscriber (
  hash TEXT PRIMARY KEY, mail TEXT NOT NULL UNIQUE, made INTEGER NOT NULL, confirmed INTEGER NOT NULL, told INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
