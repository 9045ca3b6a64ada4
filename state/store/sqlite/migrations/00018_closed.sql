-- +goose Up
-- everybody: what the fraud desk says of every line, as settings of the provider beside those of the configuration; one row, once something
-- was said. hot_number: the ranges of numbers on hot lists.

CREATE TABLE everybody (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  settings TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE hot_number (
  list TEXT NOT NULL, prefix TEXT NOT NULL,
  way TEXT NOT NULL, until INTEGER NOT NULL, made INTEGER NOT NULL, made_by TEXT NOT NULL, why TEXT NOT NULL,
  PRIMARY KEY (list, prefix)
) STRICT, WITHOUT ROWID;
