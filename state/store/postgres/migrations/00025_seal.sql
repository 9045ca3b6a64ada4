-- +goose Up
-- The leaf hashes of the journal: a row for each transaction that wrote facts. It stays when they are deleted.
-- seq is of the first of them and first its place in the tree of the node; seqs are numbers of 8 bytes, hashes of 32 bytes each.

CREATE TABLE seal_leaf (
  seq BIGINT PRIMARY KEY,
  tree TEXT COLLATE "C" NOT NULL, first BIGINT NOT NULL,
  seqs BYTEA NOT NULL, hashes BYTEA NOT NULL
);
CREATE UNIQUE INDEX seal_leaf_tree ON seal_leaf (tree, first);

-- The root of the n-th complete subtree of 256^level leaves.
CREATE TABLE seal_node (
  tree TEXT COLLATE "C" NOT NULL, level BIGINT NOT NULL, n BIGINT NOT NULL, hash BYTEA NOT NULL,
  PRIMARY KEY (tree, level, n)
);

CREATE TABLE seal_checkpoint (
  number BIGINT PRIMARY KEY,
  at BIGINT NOT NULL, note BYTEA NOT NULL
);
CREATE INDEX seal_checkpoint_at ON seal_checkpoint (at, number);

-- What a witness or a time stamper answered to a checkpoint.
CREATE TABLE seal_witness (
  number BIGINT NOT NULL, witness TEXT COLLATE "C" NOT NULL, at BIGINT NOT NULL, answer BYTEA NOT NULL,
  PRIMARY KEY (number, witness)
);
