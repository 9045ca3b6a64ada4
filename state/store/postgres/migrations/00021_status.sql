-- +goose Up
-- The public status: how often what happened in a stretch of time, incidents with their entries, and who is sent them by mail.

CREATE TABLE tally (what TEXT COLLATE "C" NOT NULL, at BIGINT NOT NULL, n BIGINT NOT NULL, PRIMARY KEY (what, at));

CREATE TABLE incident (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  component TEXT COLLATE "C" NOT NULL, node TEXT COLLATE "C" NOT NULL, kind TEXT COLLATE "C" NOT NULL, title TEXT NOT NULL,
  began BIGINT NOT NULL, ended BIGINT NOT NULL, updates TEXT NOT NULL, version BIGINT NOT NULL
);
CREATE UNIQUE INDEX incident_open ON incident (component, node) WHERE ended = 0 AND kind = 'measured';

CREATE TABLE subscriber (
  hash TEXT COLLATE "C" PRIMARY KEY, mail TEXT COLLATE "C" NOT NULL UNIQUE, made BIGINT NOT NULL, confirmed BIGINT NOT NULL, told BIGINT NOT NULL
);
