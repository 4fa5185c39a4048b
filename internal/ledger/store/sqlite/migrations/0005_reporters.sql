-- Who reported a case is found by the first 64 bits of the pseudonym, in a table of its own: an index of cases
-- would change a page at random for every case, while this table takes many cases at a time, in its own order.
-- Until then they are found by the numbers of the cases, which go up: see reporters.go.

CREATE TABLE reporters (
  reporter    BLOB NOT NULL,    -- 8 bytes
  received    INTEGER NOT NULL, -- the least integer: never
  ref         INTEGER NOT NULL,
  PRIMARY KEY (reporter, received, ref)
) STRICT, WITHOUT ROWID;

INSERT INTO reporters
  SELECT substr(CAST(pseudonym || x'0000000000000000' AS BLOB), 1, 8), coalesce(received_at, -9223372036854775808), ref
  FROM cases WHERE pseudonym IS NOT NULL ORDER BY pseudonym, received_at;
DROP INDEX cases_reporter;

-- The cases up to noted are in reporters, and of those up to noting the ones that do not come after the entry of
-- the other three columns.
ALTER TABLE ledger ADD COLUMN noted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ledger ADD COLUMN noting INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ledger ADD COLUMN noted_reporter BLOB NOT NULL DEFAULT x'0000000000000000';
ALTER TABLE ledger ADD COLUMN noted_received INTEGER NOT NULL DEFAULT -9223372036854775808;
ALTER TABLE ledger ADD COLUMN noted_ref INTEGER NOT NULL DEFAULT 0;
UPDATE ledger SET noted = (SELECT coalesce(max(ref), 0) FROM cases), noting = (SELECT coalesce(max(ref), 0) FROM cases);
