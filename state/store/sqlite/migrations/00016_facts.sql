-- +goose Up
-- A fact has the version of its kind and, where it must be stored once, a key. proof is room for what shows that a row was not changed
-- since, without a table that is written beside this one for each fact.
--
-- Reading by kind needs an index: what is rare lies between millions of rows of calls. The kinds that every call writes are left out of
-- it, so that calls do not pay; they are found at once wherever one looks.

ALTER TABLE fact ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE fact ADD COLUMN key TEXT NOT NULL DEFAULT '';
ALTER TABLE fact ADD COLUMN proof BLOB;
CREATE UNIQUE INDEX fact_key ON fact (key) WHERE key <> '';
CREATE INDEX fact_kind ON fact (kind, seq) WHERE kind <> 'call.admitted' AND kind <> 'call.answered' AND kind <> 'slice.held' AND kind <> 'call.settled' AND kind <> 'call.refused';
