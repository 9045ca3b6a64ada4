-- +goose Up
-- What is settled of cases: decisions about what is owed, claims to carriers with their calls, and instalment plans.

CREATE TABLE settlement (
  case_id INTEGER NOT NULL REFERENCES fraud_case (id), n INTEGER NOT NULL, item INTEGER NOT NULL,
  state TEXT NOT NULL, actor TEXT NOT NULL, at INTEGER NOT NULL, ended INTEGER NOT NULL, ended_by TEXT NOT NULL,
  cost INTEGER NOT NULL, list TEXT NOT NULL, given INTEGER NOT NULL, shares BLOB, version INTEGER NOT NULL,
  PRIMARY KEY (case_id, n)
) STRICT;
CREATE INDEX settlement_waiting ON settlement (case_id, n) WHERE state = 'waiting';

CREATE TABLE claim (
  id INTEGER PRIMARY KEY,
  case_id INTEGER NOT NULL REFERENCES fraud_case (id), customer TEXT NOT NULL, trunk TEXT NOT NULL, state TEXT NOT NULL, actor TEXT NOT NULL,
  made INTEGER NOT NULL, sent INTEGER NOT NULL, answer_by INTEGER NOT NULL, reminders INTEGER NOT NULL, reminded INTEGER NOT NULL,
  calls INTEGER NOT NULL, claimed INTEGER NOT NULL, granted INTEGER NOT NULL, beyond INTEGER NOT NULL,
  invoice TEXT NOT NULL, answers TEXT NOT NULL, version INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX claim_case ON claim (case_id, trunk);
CREATE INDEX claim_trunk ON claim (trunk, id);
CREATE INDEX claim_state ON claim (state, id);

CREATE TABLE claim_call (
  claim INTEGER NOT NULL REFERENCES claim (id), n INTEGER NOT NULL,
  call TEXT NOT NULL, called TEXT NOT NULL, begun INTEGER NOT NULL, talk INTEGER NOT NULL, metered INTEGER NOT NULL,
  claimed INTEGER NOT NULL, granted INTEGER NOT NULL, line INTEGER NOT NULL, parts TEXT NOT NULL, version INTEGER NOT NULL,
  PRIMARY KEY (claim, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE plan (
  id INTEGER PRIMARY KEY,
  case_id INTEGER NOT NULL REFERENCES fraud_case (id), customer TEXT NOT NULL, state TEXT NOT NULL, amount INTEGER NOT NULL, list TEXT NOT NULL,
  actor TEXT NOT NULL, made INTEGER NOT NULL, ended INTEGER NOT NULL, payments TEXT NOT NULL, reminders TEXT NOT NULL, version INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX plan_case ON plan (case_id) WHERE state IN ('running', 'broken');
CREATE INDEX plan_customer ON plan (customer, id);
CREATE INDEX plan_state ON plan (state, id);
