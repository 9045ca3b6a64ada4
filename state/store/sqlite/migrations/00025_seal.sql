-- +goose Up
-- The leaf hashes of the journal: a row for each transaction that wrote facts. It stays when they are deleted.
-- seq is of the first of them and first its place in the tree of the node; seqs are numbers of 8 bytes, hashes of 32 bytes each.

CREATE TABLE seal_leaf (
  seq INTEGER PRIMARY KEY,
  tree TEXT NOT NULL, first INTEGER NOT NULL,
  seqs BLOB NOT NULL, hashes BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX seal_leaf_tree ON seal_leaf (tree, first);

-- The root of the n-th complete subtree of 256^level leaves.
CREATE TABLE seal_node (
  tree TEXT NOT NULL, level INTEGER NOT NULL, n INTEGER NOT NULL, hash BLOB NOT NULL,
  PRIMARY KEY (tree, level, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE seal_checkpoint (
  number INTEGER PRIMARY KEY,
  at INTEGER NOT NULL, note BLOB NOT NULL
) STRICT;
CREATE INDEX seal_checkpoint_at ON seal_checkpoint (at, number);

-- What a witness or a time stamper answered to a checkpoint.
CREATE TABLE seal_witness (
  number INTEGER NOT NULL, witness TEXT NOT NULL, at INTEGER NOT NULL, answer BLOB NOT NULL,
  PRIMARY KEY (number, witness)
) STRICT, WITHOUT ROWID;
