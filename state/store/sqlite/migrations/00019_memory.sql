-- +goose Up
-- What the stages that follow the journal remember of lines, customers and calls, in their own encoding.

CREATE TABLE memory (
  stage TEXT NOT NULL, subject TEXT NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (stage, subject)
) STRICT;
