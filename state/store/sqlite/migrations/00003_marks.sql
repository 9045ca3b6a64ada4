-- +goose Up
-- What every node must know of the store as a whole: which store it is, which key seals it, what it has lost.
CREATE TABLE mark (
  name   TEXT PRIMARY KEY,
  value  TEXT NOT NULL,
  sealed BLOB
) STRICT, WITHOUT ROWID;
