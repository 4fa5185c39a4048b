-- Every transaction that writes has a revision, which stands in the rows of figures, channels and
-- settings that it has changed. No index finds them by it: a second ledger, which would have to catch
-- up, cannot open the file, and an index would cost every transaction.

CREATE TABLE ledger (
  revision INTEGER NOT NULL,
  at       INTEGER -- the instant of the last transaction
) STRICT;

-- What is there already counts as one transaction's.
INSERT INTO ledger (revision, at) VALUES (
  EXISTS (SELECT 1 FROM channels) OR EXISTS (SELECT 1 FROM settings),
  (SELECT CAST(CAST(value AS TEXT) AS INTEGER) FROM settings WHERE name = 'latest')
);
DELETE FROM settings WHERE name = 'latest';

ALTER TABLE figures ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;
ALTER TABLE channels ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;
ALTER TABLE settings ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;

ALTER TABLE channels ADD COLUMN oldest_unanswered INTEGER;
UPDATE channels SET oldest_unanswered =
  (SELECT min(unanswered_since) FROM cases WHERE cases.channel = channels.id AND unanswered_since IS NOT NULL);
