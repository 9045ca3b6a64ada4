-- +goose Up
-- How a line is reached beside its number, and which lines ring with it, as JSON.

ALTER TABLE line ADD COLUMN reach TEXT NOT NULL DEFAULT '';
