-- +goose Up
-- The numbers that a customer has proved to be theirs, and the codes that were sent for that, as JSON; how a trunk's carrier is told who calls, and whether its calls come from abroad.

ALTER TABLE customer ADD COLUMN numbers TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE customer ADD COLUMN asked TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE trunk ADD COLUMN headers TEXT COLLATE "C" NOT NULL DEFAULT 'pai';
ALTER TABLE trunk ADD COLUMN privacy TEXT COLLATE "C" NOT NULL DEFAULT 'id';
ALTER TABLE trunk ADD COLUMN abroad TEXT COLLATE "C" NOT NULL DEFAULT 'no';
