-- +goose Up
-- The checkpoint that a message named, so that a case file has it.
ALTER TABLE delivery ADD COLUMN checkpoint BIGINT NOT NULL DEFAULT 0;
