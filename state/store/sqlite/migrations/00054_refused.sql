-- +goose Up
-- The refused calls of a customer, by time, with why: for its overview.

CREATE INDEX cdr_refused ON cdr (account, refused, id, reason) WHERE refused = 1;
