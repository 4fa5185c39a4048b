-- +goose Up
-- Replies are found by their answers, by their cases while they wait, and by when they end. Those that a process of
-- the version before writes are not: they end when a worker asks for replies. The index replies_next is for it alone.
ALTER TABLE replies ADD COLUMN ends_at bigint, ADD COLUMN case_id text COLLATE "C", ADD COLUMN event text COLLATE "C";
-- One that waits ends a day after it was taken; here a day after it is to be tried again.
UPDATE replies SET event = convert_from(state, 'UTF8')::json ->> 'event', case_id = convert_from(state, 'UTF8')::json ->> 'case',
  ends_at = next_at + CASE convert_from(state, 'UTF8')::json ->> 'state' WHEN 'Sending' THEN 0 ELSE 86400000000 END
  WHERE state IS NOT NULL;
CREATE INDEX replies_event ON replies (channel, event) WHERE event IS NOT NULL;
CREATE INDEX replies_case ON replies (channel, case_id) WHERE next_at IS NOT NULL;
CREATE INDEX replies_ends ON replies (ends_at) WHERE ends_at IS NOT NULL;
