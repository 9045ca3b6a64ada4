-- +goose Up
-- Customers whose personal data is erased. name: as the bills must have it, which are kept; lines: identities, JSON, until it is done.
CREATE TABLE erasure (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  customer TEXT NOT NULL UNIQUE, name TEXT NOT NULL, lines TEXT NOT NULL, actor TEXT NOT NULL, begun INTEGER NOT NULL, done INTEGER NOT NULL
) STRICT;
CREATE INDEX erasure_open ON erasure (id) WHERE done = 0;
-- cleared: the last erasure that was carried out in the files.
ALTER TABLE archive ADD COLUMN cleared INTEGER NOT NULL DEFAULT 0;

-- Facts about a customer that name no line.
CREATE INDEX fact_account ON fact (account, seq) WHERE line = '' AND account <> '';
-- Purses by the day or month that their names end with.
CREATE INDEX purse_period ON purse (substr(id, length(id) - 9));
