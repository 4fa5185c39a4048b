-- +goose Up
-- Whose the last transaction was stands with its revision: a process that was not alone leaves a row in the
-- table writers when another one goes on, and one that is alone writes one row less in every transaction. A
-- process of the version before goes on with its row in writers, and leaves these columns as they are.
ALTER TABLE ledger ADD COLUMN writer bytea, ADD COLUMN writer_revision bigint;
-- The server read and prepared its expression anew for every transaction; the row is inserted by a migration alone.
ALTER TABLE ledger DROP CONSTRAINT ledger_id_check;
