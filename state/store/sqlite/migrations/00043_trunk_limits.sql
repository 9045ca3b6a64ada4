-- +goose Up
-- How many calls a trunk takes at once, and how many begin in a second; 0 is any number.

ALTER TABLE trunk ADD COLUMN max_calls INTEGER NOT NULL DEFAULT 0;
ALTER TABLE trunk ADD COLUMN max_rate INTEGER NOT NULL DEFAULT 0;
