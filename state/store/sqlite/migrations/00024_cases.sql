-- +goose Up
-- Cases of fraud: what people wrote and decided in them, the calls in dispute, and the files that came as evidence, in pieces.

CREATE TABLE fraud_case (
  id INTEGER PRIMARY KEY,
  customer TEXT NOT NULL, line TEXT NOT NULL, title TEXT NOT NULL, state TEXT NOT NULL, outcome TEXT NOT NULL, origin TEXT NOT NULL,
  finding INTEGER NOT NULL, owner TEXT NOT NULL, actor TEXT NOT NULL,
  opened INTEGER NOT NULL, deadline INTEGER NOT NULL, finished INTEGER NOT NULL, why TEXT NOT NULL, hold INTEGER NOT NULL, version INTEGER NOT NULL
) STRICT;
CREATE INDEX case_customer ON fraud_case (customer, id);
CREATE INDEX case_open ON fraud_case (id) WHERE finished = 0;
CREATE UNIQUE INDEX case_finding ON fraud_case (finding) WHERE finding <> 0;

CREATE TABLE case_item (
  case_id INTEGER NOT NULL REFERENCES fraud_case (id), n INTEGER NOT NULL,
  kind TEXT NOT NULL, at INTEGER NOT NULL, actor TEXT NOT NULL, theirs INTEGER NOT NULL, words TEXT NOT NULL,
  due INTEGER NOT NULL, owner TEXT NOT NULL, file TEXT NOT NULL, what TEXT NOT NULL, amount INTEGER NOT NULL, calls INTEGER NOT NULL,
  ended INTEGER NOT NULL, ended_by TEXT NOT NULL, how TEXT NOT NULL, answer TEXT NOT NULL, version INTEGER NOT NULL,
  PRIMARY KEY (case_id, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE case_call (
  case_id INTEGER NOT NULL REFERENCES fraud_case (id), call TEXT NOT NULL,
  customer TEXT NOT NULL, line TEXT NOT NULL, begun INTEGER NOT NULL, retail INTEGER NOT NULL,
  state TEXT NOT NULL, verdict TEXT NOT NULL, why TEXT NOT NULL, decision INTEGER NOT NULL, steps TEXT NOT NULL, version INTEGER NOT NULL,
  PRIMARY KEY (case_id, call)
) STRICT, WITHOUT ROWID;
CREATE INDEX case_call_customer ON case_call (customer, call);
CREATE INDEX case_call_call ON case_call (call);
CREATE UNIQUE INDEX case_call_one ON case_call (call) WHERE state <> 'withdrawn';

CREATE TABLE case_piece (code TEXT NOT NULL, n INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (code, n)) STRICT;
