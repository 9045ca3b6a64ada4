-- +goose Up
-- heard: what nodes that do not have the call have heard of the ends of its legs, for the node that settles it; JSON by node, '' for nothing.

ALTER TABLE open_call ADD COLUMN heard TEXT NOT NULL DEFAULT '';
