-- +goose Up
-- Where a trunk's carrier wants us to register, and for how many seconds.

ALTER TABLE trunk ADD COLUMN registrar TEXT NOT NULL DEFAULT '';
ALTER TABLE trunk ADD COLUMN expiry INTEGER NOT NULL DEFAULT 3600;
