-- What is overdue is asked for most, and is few of many.
CREATE INDEX cases_overdue ON cases (channel, case_id) WHERE overdue <> 0;
