-- +goose Up
-- begins, ends: calls from the one to before the other have the row's price (µs UTC, 0: no limit). no_price: the row says that its
-- numbers have no price. covers: what else than its own country prefixes of the deck price, as the operator said ("1=US,CA,PR").

ALTER TABLE deck_row ADD COLUMN begins INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deck_row ADD COLUMN ends INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deck_row ADD COLUMN no_price INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deck ADD COLUMN covers TEXT NOT NULL DEFAULT '';
