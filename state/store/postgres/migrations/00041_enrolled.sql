-- +goose Up
-- Where a trunk's carrier wants us to register, and for how many seconds.

ALTER TABLE trunk ADD COLUMN registrar TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE trunk ADD COLUMN expiry BIGINT NOT NULL DEFAULT 3600;
