-- +goose Up
-- A reseller is a customer with customers of its own (account.Resale); they name it.
ALTER TABLE customer ADD COLUMN reseller TEXT NOT NULL DEFAULT '';
ALTER TABLE customer ADD COLUMN resale TEXT NOT NULL DEFAULT '';
CREATE INDEX customer_reseller ON customer (reseller) WHERE reseller <> '';
