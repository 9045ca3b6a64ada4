-- +goose Up
-- Cases of fraud: what people wrote and decided in them, the calls in dispute, and the files that came as evidence, in pieces.

CREATE TABLE fraud_case (
  id BIGINT PRIMARY KEY,
  customer TEXT COLLATE "C" NOT NULL, line TEXT NOT NULL, title TEXT NOT NULL, state TEXT COLLATE "C" NOT NULL, outcome TEXT NOT NULL, origin TEXT NOT NULL,
  finding BIGINT NOT NULL, owner TEXT COLLATE "C" NOT NULL, actor TEXT NOT NULL,
  opened BIGINT NOT NULL, deadline BIGINT NOT NULL, finished BIGINT NOT NULL, why TEXT NOT NULL, hold BIGINT NOT NULL, version BIGINT NOT NULL
);
CREATE INDEX case_customer ON fraud_case (customer, id);
CREATE INDEX case_open ON fraud_case (id) WHERE finished = 0;
CREATE UNIQUE INDEX case_finding ON fraud_case (finding) WHERE finding <> 0;

CREATE TABLE case_item (
  case_id BIGINT NOT NULL REFERENCES fraud_case (id), n BIGINT NOT NULL,
  kind TEXT NOT NULL, at BIGINT NOT NULL, actor TEXT NOT NULL, theirs BIGINT NOT NULL, words TEXT NOT NULL,
  due BIGINT NOT NULL, owner TEXT COLLATE "C" NOT NULL, file TEXT NOT NULL, what TEXT NOT NULL, amount BIGINT NOT NULL, calls BIGINT NOT NULL,
  ended BIGINT NOT NULL, ended_by TEXT NOT NULL, how TEXT NOT NULL, answer TEXT NOT NULL, version BIGINT NOT NULL,
  PRIMARY KEY (case_id, n)
);

CREATE TABLE case_call (
  case_id BIGINT NOT NULL REFERENCES fraud_case (id), call TEXT COLLATE "C" NOT NULL,
  customer TEXT COLLATE "C" NOT NULL, line TEXT NOT NULL, begun BIGINT NOT NULL, retail BIGINT NOT NULL,
  state TEXT COLLATE "C" NOT NULL, verdict TEXT NOT NULL, why TEXT NOT NULL, decision BIGINT NOT NULL, steps TEXT NOT NULL, version BIGINT NOT NULL,
  PRIMARY KEY (case_id, call)
);
CREATE INDEX case_call_customer ON case_call (customer, call);
CREATE INDEX case_call_call ON case_call (call);
CREATE UNIQUE INDEX case_call_one ON case_call (call) WHERE state <> 'withdrawn';

CREATE TABLE case_piece (code TEXT COLLATE "C" NOT NULL, n BIGINT NOT NULL, bytes BYTEA NOT NULL, PRIMARY KEY (code, n));
