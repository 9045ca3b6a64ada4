-- +goose Up
-- everybody: what the fraud desk says of every line, as settings of the provider beside those of the configuration; one row, once something
-- was said. hot_number: the ranges of numbers on hot lists.

CREATE TABLE everybody (
  one BIGINT PRIMARY KEY CHECK (one = 1),
  settings TEXT COLLATE "C" NOT NULL
);

CREATE TABLE hot_number (
  list TEXT COLLATE "C" NOT NULL, prefix TEXT COLLATE "C" NOT NULL,
  way TEXT COLLATE "C" NOT NULL, until BIGINT NOT NULL, made BIGINT NOT NULL, made_by TEXT COLLATE "C" NOT NULL, why TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (list, prefix)
);
