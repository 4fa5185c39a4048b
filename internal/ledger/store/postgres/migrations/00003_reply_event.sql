-- +goose Up
-- A reply that came back is found by its answer. One that a process of the version before has sent is not.
ALTER TABLE replies ADD COLUMN event text COLLATE "C";
UPDATE replies SET event = convert_from(state, 'UTF8')::json ->> 'event' WHERE state IS NOT NULL;
CREATE INDEX replies_event ON replies (channel, event) WHERE event IS NOT NULL;
