-- A reply that came back is found by its answer.
ALTER TABLE replies ADD COLUMN event TEXT;
UPDATE replies SET event = CAST(state AS TEXT) ->> 'event' WHERE state IS NOT NULL;
CREATE INDEX replies_event ON replies (channel, event) WHERE event IS NOT NULL;
