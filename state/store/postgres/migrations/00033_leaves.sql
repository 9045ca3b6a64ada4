-- +goose Up
-- Here several nodes write trees, and the index keeps two writers from one place.

SELECT 1;
