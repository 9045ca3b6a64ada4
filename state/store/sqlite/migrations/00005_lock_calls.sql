-- +goose Up
-- How a lock treats the line's paid calls in progress: 0 they end when their paid time ends, 1 they are cut at once, 2 they go on.
-- A line that is locked already gets 0: no more is spent on it.

ALTER TABLE line ADD COLUMN lock_calls INTEGER NOT NULL DEFAULT 0;
