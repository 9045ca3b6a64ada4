-- +goose Up
-- A file has one tree, whose places have the order of the seqs.

DROP INDEX seal_leaf_tree;
