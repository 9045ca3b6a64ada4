-- +goose Up
-- Whether the line's password can be guessed (account.Strength): 0 not judged yet, 1 it can, 2 it cannot.
ALTER TABLE line ADD COLUMN strength INTEGER NOT NULL DEFAULT 0;
