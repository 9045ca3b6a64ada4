-- +goose Up
-- The numbers that a customer has proved to be theirs, and the codes that were sent for that, as JSON; how a trunk's carrier is told who calls, and whether its calls come from abroad.

ALTER TABLE customer ADD COLUMN numbers TEXT NOT NULL DEFAULT '';
ALTER TABLE customer ADD COLUMN asked TEXT NOT NULL DEFAULT '';
ALTER TABLE trunk ADD COLUMN headers TEXT NOT NULL DEFAULT 'pai';
ALTER TABLE trunk ADD COLUMN privacy TEXT NOT NULL DEFAULT 'id';
ALTER TABLE trunk ADD COLUMN abroad TEXT NOT NULL DEFAULT 'no';
