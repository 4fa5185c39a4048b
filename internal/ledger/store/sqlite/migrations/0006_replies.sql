-- Replies are found by their answers, by their cases while they wait, and by when they end.
ALTER TABLE replies ADD COLUMN ends_at INTEGER;
ALTER TABLE replies ADD COLUMN case_id TEXT;
ALTER TABLE replies ADD COLUMN event TEXT;
-- One that waits ends a day after it was taken; here a day after it is to be tried again.
UPDATE replies SET event = CAST(state AS TEXT) ->> 'event', case_id = CAST(state AS TEXT) ->> 'case',
  ends_at = next_at + CASE CAST(state AS TEXT) ->> 'state' WHEN 'Sending' THEN 0 ELSE 86400000000 END
  WHERE state IS NOT NULL;
CREATE INDEX replies_event ON replies (channel, event) WHERE event IS NOT NULL;
CREATE INDEX replies_case ON replies (channel, case_id) WHERE next_at IS NOT NULL;
CREATE INDEX replies_ends ON replies (ends_at) WHERE ends_at IS NOT NULL;
DROP INDEX replies_next;
