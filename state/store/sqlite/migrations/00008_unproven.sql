-- +goose Up
-- unproven: talk time (ns) that was paid for when a process took the call over and could not know whether its ends were still
-- there; 0 once both have said so.

ALTER TABLE open_call ADD COLUMN unproven INTEGER NOT NULL DEFAULT 0;
