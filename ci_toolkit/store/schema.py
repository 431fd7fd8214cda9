"""The tables of a store's index, and how those of earlier forms become these."""

FORM = 2
"""Goes up with every change of the tables."""

_BUILDS = """
CREATE TABLE objects (sha256 TEXT PRIMARY KEY, size_bytes INTEGER NOT NULL, stored_at REAL NOT NULL) WITHOUT ROWID;;
CREATE TABLE builds (
  identity TEXT PRIMARY KEY,
  pkgbase TEXT NOT NULL,
  job INTEGER NOT NULL,
  built_at REAL NOT NULL,
  own TEXT NOT NULL,
  built_with TEXT NOT NULL
) WITHOUT ROWID;;
CREATE TABLE outputs (
  identity TEXT NOT NULL REFERENCES builds ON DELETE CASCADE,
  file TEXT NOT NULL,
  sha256 TEXT NOT NULL REFERENCES objects,
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  arch TEXT NOT NULL,
  provides TEXT NOT NULL,
  depends TEXT NOT NULL,
  PRIMARY KEY (identity, file)
) WITHOUT ROWID;;
CREATE INDEX outputs_by_content ON outputs (sha256)
"""

# `changing` has the objects whose files are about to appear or to vanish: of them alone a file may have no row.
# Tables of the first form stay as they were, so that a process that began with it can go on.
_PATHS = """
CREATE TABLE changing (sha256 TEXT PRIMARY KEY) WITHOUT ROWID;;
CREATE TABLE paths (
  path TEXT PRIMARY KEY,
  sha256 TEXT NOT NULL REFERENCES objects,
  deriver TEXT,
  stored_at REAL NOT NULL
) WITHOUT ROWID;;
CREATE TABLE path_references (
  path TEXT NOT NULL REFERENCES paths ON DELETE CASCADE,
  reference TEXT NOT NULL REFERENCES paths DEFERRABLE INITIALLY DEFERRED,
  PRIMARY KEY (path, reference)
) WITHOUT ROWID;;
CREATE TABLE path_signatures (
  path TEXT NOT NULL REFERENCES paths ON DELETE CASCADE,
  signature TEXT NOT NULL,
  PRIMARY KEY (path, signature)
) WITHOUT ROWID;;
CREATE INDEX builds_by_time ON builds (built_at);;
CREATE INDEX paths_by_content ON paths (sha256);;
CREATE INDEX path_referrers ON path_references (reference)
"""

SCHEMA = f"{_BUILDS.rstrip()};;{_PATHS}"
"""Statements that are separated by two semicolons."""

STEPS = {1: _PATHS.split(";;")}
"""What makes the next form of each earlier one."""
