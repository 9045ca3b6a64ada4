-- +goose Up
-- What the stages that follow the journal remember of lines, customers and calls, in their own encoding.

CREATE TABLE memory (
  stage TEXT COLLATE "C" NOT NULL, subject TEXT COLLATE "C" NOT NULL, body BYTEA NOT NULL,
  PRIMARY KEY (stage, subject)
);
