-- Instants are microseconds since 1970 in UTC; NULL is none.

CREATE TABLE channels (
  id               INTEGER PRIMARY KEY,
  name             TEXT NOT NULL UNIQUE,
  cursor           BLOB,
  generation       INTEGER NOT NULL DEFAULT 0,
  observed_through INTEGER,
  last_event_at    INTEGER,
  report           BLOB
) STRICT;

CREATE TABLE cases (
  ref              INTEGER PRIMARY KEY,
  channel          INTEGER NOT NULL,
  case_id          TEXT NOT NULL,
  events           INTEGER NOT NULL, -- how many there are: the next one's place in events.seq
  status           TEXT NOT NULL,
  category         TEXT NOT NULL,
  department       TEXT NOT NULL,
  priority         TEXT NOT NULL,
  open             INTEGER NOT NULL,
  overdue          INTEGER NOT NULL,
  live             INTEGER NOT NULL, -- open, or closed with a clock that is not decided
  received_at      INTEGER,
  answered_at      INTEGER,
  waiting_since    INTEGER,
  unanswered_since INTEGER,
  closed_at        INTEGER,
  due_at           INTEGER,
  next_at          INTEGER,
  unfinal_at       INTEGER,
  pseudonym        BLOB,
  holds            INTEGER NOT NULL, -- 1 texts, 2 handles
  state            BLOB
) STRICT;

CREATE UNIQUE INDEX cases_key ON cases (channel, case_id);
-- Most cases stand in few of these: each holds only what something still has to be done about.
CREATE INDEX cases_live ON cases (channel, case_id) WHERE live <> 0;
CREATE INDEX cases_next ON cases (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX cases_unfinal ON cases (channel, unfinal_at) WHERE unfinal_at IS NOT NULL;
CREATE INDEX cases_unanswered ON cases (channel, unanswered_since) WHERE unanswered_since IS NOT NULL;
CREATE INDEX cases_reporter ON cases (pseudonym, received_at) WHERE pseudonym IS NOT NULL;
CREATE INDEX cases_text ON cases (closed_at) WHERE closed_at IS NOT NULL AND holds & 1 <> 0;
CREATE INDEX cases_handles ON cases (closed_at) WHERE closed_at IS NOT NULL AND holds & 2 <> 0;

-- The key is the case's ref shifted left by 20 bits plus the event's place in the case: the events of
-- a case lie side by side, new cases append at the end, and no further index is needed.
CREATE TABLE events (
  seq         INTEGER PRIMARY KEY,
  channel     INTEGER NOT NULL,
  id          TEXT NOT NULL,
  kind        TEXT NOT NULL,
  actor       TEXT NOT NULL,
  at          INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  to_status   TEXT,
  into_case   TEXT,
  marks       INTEGER NOT NULL, -- 1 clamped, 2 cleared
  text        TEXT,
  attributes  TEXT,
  latitude    REAL,
  longitude   REAL,
  pseudonym   BLOB,
  handles     TEXT
) STRICT;

CREATE UNIQUE INDEX events_id ON events (channel, id);

CREATE TABLE figures (
  key TEXT PRIMARY KEY,
  v0  INTEGER NOT NULL,
  v1  INTEGER NOT NULL,
  v2  INTEGER NOT NULL,
  v3  INTEGER NOT NULL,
  v4  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE settings (
  name  TEXT PRIMARY KEY,
  value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
