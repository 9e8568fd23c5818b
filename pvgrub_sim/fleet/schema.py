"""The tables of a scan's store."""

from __future__ import annotations

APPLICATION_ID = 0x50564753
"""`PVGS`, in SQLite's header, so that file(1) and we know a store from another database."""
VERSION = 1
"""In SQLite's `user_version`; it grows when the tables change."""

TABLES = """
CREATE TABLE scans (
    id INTEGER PRIMARY KEY,
    started REAL NOT NULL,
    finished REAL,
    tool TEXT NOT NULL,
    request TEXT NOT NULL
);
CREATE TABLE looks (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    version TEXT NOT NULL,
    name TEXT NOT NULL,
    origin TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    region TEXT NOT NULL,
    state TEXT NOT NULL,
    error TEXT NOT NULL,
    outcome TEXT NOT NULL,
    boots_default INTEGER NOT NULL,
    entry INTEGER,
    profile TEXT NOT NULL,
    arch TEXT NOT NULL,
    aki TEXT NOT NULL,
    rules TEXT NOT NULL,
    kernel TEXT NOT NULL,
    payload TEXT NOT NULL,
    headline TEXT NOT NULL,
    seconds REAL NOT NULL,
    tool TEXT NOT NULL,
    settings TEXT NOT NULL,
    scan INTEGER NOT NULL,
    gone INTEGER NOT NULL DEFAULT 0,
    verdict TEXT NOT NULL
);
CREATE UNIQUE INDEX looks_of_source ON looks (source, version);
"""
"""Times: seconds since 1970. verdict comes last: a query that does not want it does not read it."""

TARGETS = """
CREATE TEMP TABLE targets (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    source TEXT NOT NULL,
    name TEXT NOT NULL,
    origin TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    region TEXT NOT NULL,
    sniff INTEGER NOT NULL,
    problem TEXT NOT NULL
);
CREATE TEMP TABLE versions (position INTEGER PRIMARY KEY, version TEXT NOT NULL UNIQUE);
"""
"""What the scan that runs is about: on disk, so that a million images need no memory. source: as JSON, for bytes that
are no UTF-8; key: the same as text that can be read."""
