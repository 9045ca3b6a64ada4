-- +goose Up
-- What every node must know of the store as a whole: which store it is, which key seals it, what it has lost.
CREATE TABLE mark (
  name   TEXT COLLATE "C" PRIMARY KEY,
  value  TEXT COLLATE "C" NOT NULL,
  sealed BYTEA
);
