-- +goose Up
-- Calls that began before the bills did are left to those who billed them. A database without calls begins at the beginning, and so does one
-- that has billed.
INSERT INTO mark (name, value) SELECT 'billing-from', strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
  WHERE (EXISTS (SELECT 1 FROM due_call) OR EXISTS (SELECT 1 FROM open_call)) AND NOT EXISTS (SELECT 1 FROM bill);

ALTER TABLE bill DROP COLUMN mailed;
CREATE INDEX bill_due ON bill (due, number) WHERE state = 'issued';
