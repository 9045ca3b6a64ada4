-- +goose Up
-- The id of a customer, line or trunk is its identity, "3001~x7k2m9qp", which is never used again; its handle, what people call it, is
-- what stands before '~'. Those that are there keep their handle alone as identity, so that everything kept under it stays theirs.

CREATE UNIQUE INDEX customer_handle ON customer (substr(id, 1, instr(id || '~', '~') - 1));
CREATE UNIQUE INDEX line_handle ON line (substr(id, 1, instr(id || '~', '~') - 1));
CREATE UNIQUE INDEX trunk_handle ON trunk (substr(name, 1, instr(name || '~', '~') - 1));

-- What was removed, by its identity.
CREATE INDEX fact_line_deleted ON fact (line, seq) WHERE kind = 'line.deleted';
CREATE INDEX fact_customer_deleted ON fact (account, seq) WHERE kind = 'customer.deleted';
