-- +goose Up
-- What is settled of cases: decisions about what is owed, claims to carriers with their calls, and instalment plans.

CREATE TABLE settlement (
  case_id BIGINT NOT NULL REFERENCES fraud_case (id), n BIGINT NOT NULL, item BIGINT NOT NULL,
  state TEXT COLLATE "C" NOT NULL, actor TEXT NOT NULL, at BIGINT NOT NULL, ended BIGINT NOT NULL, ended_by TEXT NOT NULL,
  cost BIGINT NOT NULL, list TEXT NOT NULL, given BIGINT NOT NULL, shares BYTEA, version BIGINT NOT NULL,
  PRIMARY KEY (case_id, n)
);
CREATE INDEX settlement_waiting ON settlement (case_id, n) WHERE state = 'waiting';

CREATE TABLE claim (
  id BIGINT PRIMARY KEY,
  case_id BIGINT NOT NULL REFERENCES fraud_case (id), customer TEXT COLLATE "C" NOT NULL, trunk TEXT COLLATE "C" NOT NULL, state TEXT COLLATE "C" NOT NULL, actor TEXT NOT NULL,
  made BIGINT NOT NULL, sent BIGINT NOT NULL, answer_by BIGINT NOT NULL, reminders BIGINT NOT NULL, reminded BIGINT NOT NULL,
  calls BIGINT NOT NULL, claimed BIGINT NOT NULL, granted BIGINT NOT NULL, beyond BIGINT NOT NULL,
  invoice TEXT NOT NULL, answers TEXT NOT NULL, version BIGINT NOT NULL
);
CREATE UNIQUE INDEX claim_case ON claim (case_id, trunk);
CREATE INDEX claim_trunk ON claim (trunk, id);
CREATE INDEX claim_state ON claim (state, id);

CREATE TABLE claim_call (
  claim BIGINT NOT NULL REFERENCES claim (id), n BIGINT NOT NULL,
  call TEXT NOT NULL, called TEXT NOT NULL, begun BIGINT NOT NULL, talk BIGINT NOT NULL, metered BIGINT NOT NULL,
  claimed BIGINT NOT NULL, granted BIGINT NOT NULL, line BIGINT NOT NULL, parts TEXT NOT NULL, version BIGINT NOT NULL,
  PRIMARY KEY (claim, n)
);

CREATE TABLE plan (
  id BIGINT PRIMARY KEY,
  case_id BIGINT NOT NULL REFERENCES fraud_case (id), customer TEXT COLLATE "C" NOT NULL, state TEXT COLLATE "C" NOT NULL, amount BIGINT NOT NULL, list TEXT NOT NULL,
  actor TEXT NOT NULL, made BIGINT NOT NULL, ended BIGINT NOT NULL, payments TEXT NOT NULL, reminders TEXT NOT NULL, version BIGINT NOT NULL
);
CREATE UNIQUE INDEX plan_case ON plan (case_id) WHERE state IN ('running', 'broken');
CREATE INDEX plan_customer ON plan (customer, id);
CREATE INDEX plan_state ON plan (state, id);
