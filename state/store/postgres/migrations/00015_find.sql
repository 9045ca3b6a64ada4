-- +goose Up
-- A refused call has a record too: refused is 1 where the call was never let out. A finding's notes are lines of
-- JSON: who, when, what.

ALTER TABLE cdr ADD COLUMN refused BIGINT NOT NULL DEFAULT 0;
ALTER TABLE finding ADD COLUMN notes TEXT COLLATE "C" NOT NULL DEFAULT '';

-- Calls by the number called, and calls between lines by the line called. Further filters look through the records of a period.
CREATE INDEX cdr_number ON cdr (number, id);
CREATE INDEX cdr_peer ON cdr (peer, id) WHERE direction = 'between';
