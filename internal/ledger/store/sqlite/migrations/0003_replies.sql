-- Replies on their way out, and those that were done lately.

CREATE TABLE replies (
  channel INTEGER NOT NULL,
  id      TEXT NOT NULL,
  next_at INTEGER, -- NULL: nothing is to be done about it any more
  done_at INTEGER,
  state   BLOB,
  PRIMARY KEY (channel, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX replies_next ON replies (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX replies_next_of ON replies (channel, next_at) WHERE next_at IS NOT NULL;
CREATE INDEX replies_done ON replies (done_at) WHERE done_at IS NOT NULL;
