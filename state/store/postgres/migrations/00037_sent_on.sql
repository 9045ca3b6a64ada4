-- +goose Up
-- cause: what made a call that nobody dialled: a forward, a redirection or a transfer; parent: the call that it sends on.

ALTER TABLE open_call ADD COLUMN cause TEXT NOT NULL DEFAULT '';
ALTER TABLE open_call ADD COLUMN parent TEXT NOT NULL DEFAULT '';
ALTER TABLE cdr ADD COLUMN cause TEXT NOT NULL DEFAULT '';
ALTER TABLE cdr ADD COLUMN parent TEXT NOT NULL DEFAULT '';
