-- +goose Up
-- currency: what the prices of this version are in; until now all were in pounds. exchange: at what rate they were converted
-- from another ("USD=0.79"), '' for not at all. mapping: columns that were named by hand, one to a line ("Preis=rate"), for the
-- next import of the name.

ALTER TABLE deck ADD COLUMN currency TEXT NOT NULL DEFAULT 'GBP';
ALTER TABLE deck ADD COLUMN exchange TEXT NOT NULL DEFAULT '';
ALTER TABLE deck ADD COLUMN mapping TEXT NOT NULL DEFAULT '';
