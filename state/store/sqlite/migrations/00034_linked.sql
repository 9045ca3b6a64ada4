-- +goose Up
-- Lines that staff linked to a case by hand.

ALTER TABLE fraud_case ADD COLUMN linked TEXT NOT NULL DEFAULT '';
