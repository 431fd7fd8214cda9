"""The tables of the job database.

Only transitions that `legal` lists can be made, and each is recorded by the database itself, so that no program, nor a
newer one, can leave them out.
"""

from __future__ import annotations

from ci_toolkit.model.job import FOLLOWING

FORM = 5

# Kinds of happenings.
REMOVED, WORKER = "removed", "worker"

# What has happened beside transitions and has to be told, and how far those who are told have got.
_HAPPENINGS = """CREATE TABLE happenings (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  at REAL NOT NULL,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  text TEXT NOT NULL
)"""
_LISTENERS = """CREATE TABLE listeners (
  name TEXT PRIMARY KEY,
  identity TEXT NOT NULL,
  step INTEGER NOT NULL,
  happening INTEGER NOT NULL,
  held_step INTEGER,
  held_happening INTEGER,
  sent_at REAL NOT NULL DEFAULT 0,
  not_before REAL NOT NULL DEFAULT 0
) WITHOUT ROWID"""
# Statistics are of those that ended in a time, which is a small part of all.
_BY_END = "CREATE INDEX jobs_by_end ON jobs (ended_at)"

# What takes a file of an earlier form one form further.
STEPS = {
    1: (
        "ALTER TABLE jobs ADD COLUMN priority INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE jobs ADD COLUMN worker TEXT",
        "ALTER TABLE jobs ADD COLUMN losses INTEGER NOT NULL DEFAULT 0",
    ),
    2: (_HAPPENINGS, _LISTENERS),
    3: (
        "ALTER TABLE jobs ADD COLUMN recipe TEXT",
        "ALTER TABLE jobs ADD COLUMN size_bytes INTEGER",
        _BY_END,
    ),
    4: ("ALTER TABLE jobs ADD COLUMN artifacts TEXT NOT NULL DEFAULT '[]'",),
}

_LEGAL = ", ".join(
    f"('{old.value}', '{new.value}')" for old, followers in FOLLOWING.items() for new in sorted(followers, key=str)
)

SCHEMA = f"""
CREATE TABLE legal (old TEXT NOT NULL, new TEXT NOT NULL, PRIMARY KEY (old, new)) WITHOUT ROWID;;
INSERT INTO legal VALUES {_LEGAL};;
CREATE TABLE requests (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  source TEXT NOT NULL,
  commit_id TEXT NOT NULL,
  submitted_at REAL NOT NULL,
  deptree BLOB NOT NULL
);;
CREATE TABLE folders (tree TEXT PRIMARY KEY, files BLOB NOT NULL) WITHOUT ROWID;;
CREATE TABLE jobs (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  request TEXT NOT NULL REFERENCES requests (id),
  pkgbase TEXT NOT NULL,
  tree TEXT NOT NULL REFERENCES folders,
  epoch_s INTEGER NOT NULL,
  builder_class TEXT,
  state TEXT NOT NULL,
  reason TEXT NOT NULL,
  changed_at REAL NOT NULL,
  queued_at REAL NOT NULL,
  started_at REAL,
  ended_at REAL,
  waits_for TEXT,
  version TEXT,
  phase TEXT,
  status INTEGER,
  phases TEXT NOT NULL DEFAULT '[]',
  interference TEXT NOT NULL DEFAULT '[]',
  also_needs TEXT NOT NULL DEFAULT '[]',
  log_of INTEGER,
  build TEXT,
  ending TEXT,
  ending_reason TEXT,
  priority INTEGER NOT NULL DEFAULT 0,
  worker TEXT,
  losses INTEGER NOT NULL DEFAULT 0,
  recipe TEXT,
  size_bytes INTEGER,
  artifacts TEXT NOT NULL DEFAULT '[]'
);;
CREATE INDEX jobs_of_packages ON jobs (pkgbase, number);;
CREATE INDEX jobs_in_states ON jobs (state);;
{_BY_END};;
CREATE TABLE transitions (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  job INTEGER NOT NULL REFERENCES jobs ON DELETE CASCADE,
  at REAL NOT NULL,
  old TEXT,
  new TEXT NOT NULL,
  reason TEXT NOT NULL
);;
CREATE INDEX transitions_of_jobs ON transitions (job);;
CREATE TRIGGER refuse_illegal BEFORE UPDATE OF state ON jobs
WHEN NOT EXISTS (SELECT 1 FROM legal WHERE old = OLD.state AND new = NEW.state)
BEGIN SELECT RAISE (ABORT, 'illegal transition'); END;;
CREATE TRIGGER record_first AFTER INSERT ON jobs
BEGIN INSERT INTO transitions (job, at, new, reason) VALUES (NEW.number, NEW.changed_at, NEW.state, NEW.reason); END;;
CREATE TRIGGER record AFTER UPDATE OF state ON jobs
BEGIN
  INSERT INTO transitions (job, at, old, new, reason)
  VALUES (NEW.number, NEW.changed_at, OLD.state, NEW.state, NEW.reason);
END;;
CREATE TABLE known_packages (source TEXT NOT NULL, pkgbase TEXT NOT NULL, PRIMARY KEY (source, pkgbase)) WITHOUT ROWID;;
CREATE TABLE removals (source TEXT NOT NULL, pkgbase TEXT NOT NULL, PRIMARY KEY (source, pkgbase)) WITHOUT ROWID;;
{_HAPPENINGS};;
{_LISTENERS}
"""
