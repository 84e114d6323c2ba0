"""The tables, as numbered migrations. A migration is never edited once it was released.

``segments`` hold the facts, ``inbox`` those that were received and not yet posted.
``events``, ``event_parts``, ``event_segments``, the ``usage_by_…`` rollups, ``calls`` and
``statements`` are derived from them and can be rebuilt. Amounts are split (micro-dollars
and the picodollars below them), so that a sum over any number of rows stays exact in
64-bit integers up to 9.2 million million dollars.
"""

from __future__ import annotations

UNIT_COLUMNS = (
    "uncached_input_tokens",
    "cache_read_input_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "web_search_requests",
    "web_fetch_requests",
    "code_execution_requests",
    "other_units",
)
EVENT_UNIT_COLUMNS = UNIT_COLUMNS[:6]
"""Units nearly every event has; the rest of an event's tally is in ``event_parts``."""

COST_COLUMNS = ("list_micro", "list_rest", "net_micro", "net_rest")
TALLY_COLUMNS = (
    "responses",
    "partial_responses",
    "missing_responses",
    "partial_output_tokens",
    *UNIT_COLUMNS,
    "failed_requests",
    "timed_requests",
    "latency_ms",
    *COST_COLUMNS,
)
APPLICATION_ID = 0x746F6C6C  # "toll"
MICRO = 10**6  # picodollars in a micro-dollar

DAILY_DIMENSIONS = ("source", "provider", "app", "user", "machine", "key")
"""What sums are kept of by the day; its place here is its number in the table."""

_TALLY = ", ".join(f"{name} INTEGER NOT NULL" for name in TALLY_COLUMNS)

_FACTS = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE names (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE contexts (
    id INTEGER PRIMARY KEY,
    source INTEGER NOT NULL, branch INTEGER NOT NULL, agent INTEGER NOT NULL,
    skill INTEGER NOT NULL, tools INTEGER NOT NULL, conditions INTEGER NOT NULL,
    sidechain INTEGER NOT NULL, copied INTEGER NOT NULL, evidence INTEGER NOT NULL,
    partial INTEGER NOT NULL,
    provider INTEGER NOT NULL, app INTEGER NOT NULL, user INTEGER NOT NULL,
    machine INTEGER NOT NULL, key INTEGER NOT NULL, tags INTEGER NOT NULL,
    failure INTEGER NOT NULL, units INTEGER NOT NULL,
    UNIQUE (source, branch, agent, skill, tools, conditions, sidechain, copied,
        evidence, partial, provider, app, user, machine, key, tags, failure,
        units)
);
CREATE TABLE segments (
    id INTEGER PRIMARY KEY,
    source INTEGER NOT NULL,
    origin INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE TABLE inbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source INTEGER NOT NULL,
    origin INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    size INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE TABLE cursors (
    source INTEGER NOT NULL, origin TEXT NOT NULL, cursor BLOB NOT NULL,
    PRIMARY KEY (source, origin)
) WITHOUT ROWID;
CREATE TABLE problems (
    origin TEXT NOT NULL, line INTEGER NOT NULL, code TEXT NOT NULL,
    message TEXT NOT NULL, recorded_at INTEGER NOT NULL, told_by TEXT NOT NULL,
    PRIMARY KEY (origin, line, code)
) WITHOUT ROWID;
CREATE INDEX problems_by_teller ON problems (told_by);
CREATE TABLE acknowledgements (
    origin TEXT NOT NULL, line INTEGER NOT NULL, code TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (origin, line, code)
) WITHOUT ROWID;
CREATE TABLE labels (
    name TEXT PRIMARY KEY, label TEXT NOT NULL
) WITHOUT ROWID;
"""

_DERIVED = f"""
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL, name TEXT NOT NULL, moment INTEGER NOT NULL,
    request_id TEXT, first_at INTEGER NOT NULL, at INTEGER NOT NULL,
    session INTEGER NOT NULL, project INTEGER NOT NULL, model INTEGER NOT NULL,
    context INTEGER NOT NULL, segment INTEGER NOT NULL, priced INTEGER NOT NULL,
    {", ".join(f"{name} INTEGER NOT NULL" for name in EVENT_UNIT_COLUMNS)},
    list_pico INTEGER NOT NULL, net_pico INTEGER NOT NULL,
    joined_to INTEGER, stated_pico INTEGER, latency_ms INTEGER, state BLOB
);
CREATE UNIQUE INDEX events_by_name ON events (name, kind, moment);
CREATE INDEX events_by_time ON events (at);
CREATE INDEX events_by_session ON events (session, at);
CREATE INDEX events_by_request ON events (name) WHERE kind = 1;
CREATE INDEX events_by_moment ON events (name ->> 0) WHERE kind = 2;
CREATE TABLE event_parts (
    event INTEGER NOT NULL, part INTEGER NOT NULL, model INTEGER NOT NULL,
    priced INTEGER NOT NULL, {_TALLY}, PRIMARY KEY (event, part)
) WITHOUT ROWID;
CREATE TABLE event_segments (
    event INTEGER NOT NULL, segment INTEGER NOT NULL, PRIMARY KEY (event, segment)
) WITHOUT ROWID;
CREATE TABLE usage_by_project (
    slot INTEGER NOT NULL, project INTEGER NOT NULL, model INTEGER NOT NULL,
    priced INTEGER NOT NULL, {_TALLY},
    PRIMARY KEY (slot, project, model, priced)
) WITHOUT ROWID;
CREATE TABLE usage_by_session (
    slot INTEGER NOT NULL, session INTEGER NOT NULL, project INTEGER NOT NULL,
    model INTEGER NOT NULL, priced INTEGER NOT NULL, {_TALLY},
    PRIMARY KEY (slot, session, project, model, priced)
) WITHOUT ROWID;
CREATE TABLE usage_by_day (
    dimension INTEGER NOT NULL, day INTEGER NOT NULL, value INTEGER NOT NULL,
    project INTEGER NOT NULL, model INTEGER NOT NULL, priced INTEGER NOT NULL, {_TALLY},
    PRIMARY KEY (dimension, day, value, project, model, priced)
) WITHOUT ROWID;
CREATE TABLE calls (
    reference TEXT PRIMARY KEY, asked INTEGER NOT NULL, answered INTEGER NOT NULL,
    at INTEGER, session INTEGER, model INTEGER, project INTEGER
) WITHOUT ROWID;
CREATE INDEX calls_unanswered ON calls (at) WHERE asked AND NOT answered;
CREATE TABLE statements (
    session INTEGER NOT NULL, source INTEGER NOT NULL, series TEXT NOT NULL,
    origin INTEGER NOT NULL,
    sequence INTEGER NOT NULL, stated_pico INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (session, source, series)
) WITHOUT ROWID;
"""

_CONTROL = """
CREATE TABLE projects (
    id TEXT PRIMARY KEY, workspace TEXT NOT NULL, kind TEXT NOT NULL, title TEXT,
    created_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE keys (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, scopes TEXT NOT NULL, projects TEXT,
    created_at INTEGER NOT NULL, expires_at INTEGER, revoked_at INTEGER,
    last_used_at INTEGER, digest BLOB NOT NULL
);
CREATE TABLE audit (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, subject TEXT NOT NULL,
    detail TEXT NOT NULL
);
"""

MIGRATIONS: tuple[str, ...] = (_FACTS + _DERIVED + _CONTROL,)
DERIVED_TABLES = (
    "events",
    "event_parts",
    "event_segments",
    "usage_by_project",
    "usage_by_session",
    "usage_by_day",
    "calls",
    "statements",
)
