-- +goose Up
-- Instants are microseconds since 1970 in UTC, NULL is none: the same numbers as in the embedded storage,
-- whatever TimeZone and DateStyle a session has. to_timestamp(at / 1e6) shows one.
-- What is compared and ordered has the collation "C": bytes, on every server and after every upgrade of
-- its libraries.

-- One row, which every transaction that writes locks first: so that transactions run one after the other.
CREATE TABLE ledger (
  id           smallint PRIMARY KEY CHECK (id = 1),
  revision     bigint NOT NULL,  -- of the last transaction that wrote something
  at           bigint,           -- the instant at which that one judged
  last_ref     bigint NOT NULL,  -- the highest cases.ref given
  last_channel integer NOT NULL  -- the highest channels.id given
) WITH (fillfactor = 10);
INSERT INTO ledger (id, revision, at, last_ref, last_channel) VALUES (1, 0, NULL, 0, 0);

-- The last transaction that each process has committed: by its row a process whose connection was cut in
-- a commit learns whether it happened.
CREATE TABLE writers (
  id       bytea PRIMARY KEY,
  revision bigint NOT NULL
) WITH (fillfactor = 10);

-- The revision in a row of channels, figures and settings is that of the last transaction that changed it:
-- by it another process finds what it has to read again.
CREATE TABLE channels (
  revision          bigint NOT NULL,
  generation        bigint NOT NULL DEFAULT 0,
  observed_through  bigint,
  last_event_at     bigint,
  oldest_unanswered bigint,
  id                integer PRIMARY KEY,
  name              text COLLATE "C" NOT NULL UNIQUE,
  cursor            bytea,
  report            bytea
) WITH (fillfactor = 50);
CREATE INDEX channels_revision ON channels (revision);

CREATE TABLE cases (
  ref              bigint PRIMARY KEY,
  received_at      bigint,
  answered_at      bigint,
  waiting_since    bigint,
  unanswered_since bigint,
  closed_at        bigint,
  due_at           bigint,
  next_at          bigint,
  unfinal_at       bigint,
  channel          integer NOT NULL,
  events           integer NOT NULL,  -- how many there are
  holds            smallint NOT NULL, -- 1 texts, 2 handles
  open             boolean NOT NULL,
  overdue          boolean NOT NULL,
  live             boolean NOT NULL,  -- open, or closed with a clock that is not decided
  case_id          text COLLATE "C" NOT NULL,
  status           text COLLATE "C" NOT NULL,
  category         text COLLATE "C" NOT NULL,
  department       text COLLATE "C" NOT NULL,
  priority         text COLLATE "C" NOT NULL,
  pseudonym        bytea,
  state            bytea
) WITH (fillfactor = 85);
CREATE UNIQUE INDEX cases_key ON cases (channel, case_id);
-- Most cases stand in few of these: each holds only what something still has to be done about. A change
-- of a column that stands in none of them rewrites no index (a HOT update).
CREATE INDEX cases_live ON cases (channel, case_id) WHERE live;
CREATE INDEX cases_overdue ON cases (channel, case_id) WHERE overdue; -- what is asked for most, and few of many
CREATE INDEX cases_next ON cases (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX cases_unfinal ON cases (channel, unfinal_at) WHERE unfinal_at IS NOT NULL;
CREATE INDEX cases_unanswered ON cases (channel, unanswered_since) WHERE unanswered_since IS NOT NULL;
CREATE INDEX cases_reporter ON cases (pseudonym, received_at) WHERE pseudonym IS NOT NULL;
CREATE INDEX cases_text ON cases (closed_at) WHERE closed_at IS NOT NULL AND (holds & 1) <> 0;
CREATE INDEX cases_handles ON cases (closed_at) WHERE closed_at IS NOT NULL AND (holds & 2) <> 0;

CREATE TABLE events (
  case_ref    bigint NOT NULL,
  at          bigint NOT NULL,
  received_at bigint NOT NULL,
  latitude    double precision,
  longitude   double precision,
  channel     integer NOT NULL,
  marks       smallint NOT NULL, -- 1 clamped, 2 cleared
  id          text COLLATE "C" NOT NULL,
  kind        text COLLATE "C" NOT NULL,
  actor       text COLLATE "C" NOT NULL,
  to_status   text COLLATE "C",
  into_case   text COLLATE "C",
  text        text COLLATE "C",
  attributes  text COLLATE "C",
  pseudonym   bytea,
  handles     text COLLATE "C",
  PRIMARY KEY (channel, id)
);
CREATE INDEX events_case ON events (case_ref);

CREATE TABLE figures (
  revision bigint NOT NULL,
  v0       bigint NOT NULL,
  v1       bigint NOT NULL,
  v2       bigint NOT NULL,
  v3       bigint NOT NULL,
  v4       bigint NOT NULL,
  key      text COLLATE "C" PRIMARY KEY
) WITH (fillfactor = 70);
CREATE INDEX figures_revision ON figures (revision);

CREATE TABLE settings (
  revision bigint NOT NULL,
  name     text COLLATE "C" PRIMARY KEY,
  value    bytea NOT NULL
);

-- Replies on their way out, and those that were done lately.
CREATE TABLE replies (
  next_at bigint, -- NULL: nothing is to be done about it any more
  done_at bigint,
  channel integer NOT NULL,
  id      text COLLATE "C" NOT NULL,
  state   bytea,
  PRIMARY KEY (channel, id)
);
CREATE INDEX replies_next ON replies (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX replies_next_of ON replies (channel, next_at) WHERE next_at IS NOT NULL;
CREATE INDEX replies_done ON replies (done_at) WHERE done_at IS NOT NULL;

-- Rows that every transaction changes are cleaned at once. Large tables are cleaned when a hundredth has
-- changed: what was cleared does not stay in dead rows until a fifth of a country has.
ALTER TABLE ledger SET (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE writers SET (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE channels SET (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE figures SET (autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE cases SET (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0.01, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE replies SET (autovacuum_vacuum_threshold = 100, autovacuum_vacuum_scale_factor = 0.01);
ALTER TABLE events SET (autovacuum_vacuum_threshold = 100, autovacuum_vacuum_scale_factor = 0.01);
