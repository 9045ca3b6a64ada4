-- +goose Up
-- Where the calls to a line go that it does not take itself, as JSON.

ALTER TABLE line ADD COLUMN forwards TEXT NOT NULL DEFAULT '';
