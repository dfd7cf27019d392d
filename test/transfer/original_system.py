"""The original system as far as tests need it: makes its database, fills it, dies over it, and works it off by SQL.

    original_system.py COMMAND DATABASE [ARGUMENT]
"""

import json
import os
import sqlite3
import sys
from datetime import datetime, timedelta, timezone

SCHEMA = """
CREATE TABLE IF NOT EXISTS task_queue (
  id                 INTEGER PRIMARY KEY AUTOINCREMENT,
  type               TEXT NOT NULL,
  priority           INTEGER NOT NULL DEFAULT 100,
  payload            TEXT NOT NULL,
  compatibility      TEXT NOT NULL DEFAULT '{}',
  status             TEXT NOT NULL DEFAULT 'queued',
  attempts           INTEGER NOT NULL DEFAULT 0,
  max_attempts       INTEGER NOT NULL DEFAULT 5,
  run_after_utc      DATETIME NOT NULL DEFAULT (datetime('now')),
  lease_until_utc    DATETIME,
  reserved_at_utc    DATETIME,
  processing_started_utc DATETIME,
  finished_at_utc    DATETIME,
  locked_by          TEXT,
  error_message      TEXT,
  idempotency_key    TEXT,
  created_at_utc     DATETIME NOT NULL DEFAULT (datetime('now')),
  updated_at_utc     DATETIME NOT NULL DEFAULT (datetime('now')),
  region             TEXT GENERATED ALWAYS AS (json_extract(compatibility, '$.region')) VIRTUAL,
  format             TEXT GENERATED ALWAYS AS (json_extract(payload, '$.format')) VIRTUAL
);
CREATE TABLE IF NOT EXISTS workers (
  worker_id      TEXT PRIMARY KEY,
  capabilities   TEXT NOT NULL,
  heartbeat_utc  DATETIME NOT NULL DEFAULT (datetime('now'))
);
CREATE TABLE IF NOT EXISTS task_logs (
  log_id     INTEGER PRIMARY KEY AUTOINCREMENT,
  task_id    INTEGER NOT NULL,
  at_utc     DATETIME NOT NULL DEFAULT (datetime('now')),
  level      TEXT NOT NULL,
  message    TEXT,
  details    TEXT,
  FOREIGN KEY (task_id) REFERENCES task_queue(id)
);
CREATE INDEX IF NOT EXISTS ix_task_status_prio_time ON task_queue (status, priority, run_after_utc, id);
CREATE INDEX IF NOT EXISTS ix_task_type_status ON task_queue (type, status);
CREATE INDEX IF NOT EXISTS ix_task_region ON task_queue (region);
CREATE INDEX IF NOT EXISTS ix_task_format ON task_queue (format);
CREATE UNIQUE INDEX IF NOT EXISTS uq_task_idempotency ON task_queue (idempotency_key)
  WHERE idempotency_key IS NOT NULL;
CREATE INDEX IF NOT EXISTS ix_logs_task ON task_logs (task_id, at_utc);
"""

# The same without what checks JSON: the columns that SQLite computes from payload and compatibility.
PLAIN_SCHEMA = "\n".join(
    line for line in SCHEMA.splitlines() if "GENERATED" not in line and "ix_task_region" not in line
    and "ix_task_format" not in line
).replace("updated_at_utc     DATETIME NOT NULL DEFAULT (datetime('now')),", "updated_at_utc     DATETIME NOT NULL DEFAULT (datetime('now'))")

CLAIM = """
WITH candidate AS (
  SELECT id FROM task_queue
  WHERE status = 'queued' AND run_after_utc <= datetime('now')
  ORDER BY priority ASC, id ASC
  LIMIT 1
)
UPDATE task_queue
SET status = 'leased', reserved_at_utc = datetime('now'),
    lease_until_utc = datetime('now', '+60 seconds'), locked_by = ?
WHERE id = (SELECT id FROM candidate)
RETURNING *
"""


def connect(path):
    connection = sqlite3.connect(path, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode=WAL")
    return connection


def create(path, kind="full"):
    """Makes the database, with the rows of the input if there is one."""
    connection = connect(path)
    connection.execute("PRAGMA synchronous=OFF")
    connection.executescript(PLAIN_SCHEMA if kind == "plain" else SCHEMA)
    insert_rows(connection, json.loads(sys.stdin.read() or "[]"))
    connection.close()


def insert_rows(connection, rows):
    connection.execute("BEGIN IMMEDIATE")
    for row in rows:
        names = ", ".join(row)
        marks = ", ".join("?" for _ in row)
        connection.execute(f"INSERT INTO task_queue ({names}) VALUES ({marks})", tuple(row.values()))
    connection.execute("COMMIT")


def execute(path):
    connection = connect(path)
    connection.executescript(sys.stdin.read())
    connection.close()


def bulk(path, count):
    connection = connect(path)
    start = datetime(2026, 1, 1, tzinfo=timezone.utc)
    rows = (
        {
            "type": "ty\u00fcpe" if n % 10 == 0 else f"type-{n % 5}",
            "priority": n % 1000 + 1,
            "payload": json.dumps({"n": n, "format": "mp4", "text": "x" * 200}),
            "status": ("queued", "completed", "failed", "processing")[n % 4],
            "attempts": n % 3,
            "run_after_utc": (start + timedelta(seconds=n)).isoformat(),
            "finished_at_utc": start.isoformat() if n % 4 in (1, 2) else None,
            "idempotency_key": f"key-{n}" if n % 2 == 0 else None,
        }
        for n in range(int(count))
    )
    insert_rows(connection, rows)
    connection.close()


def die_with_wal(path, checkpoint="none"):
    """Commits a row and is killed: the log stays, folded into the file or not."""
    connection = connect(path)
    insert_rows(connection, [{"type": "late", "payload": "{}"}])
    if checkpoint != "none":
        connection.execute(f"PRAGMA wal_checkpoint({checkpoint})").fetchall()
    os._exit(0)


def die_uncommitted(path):
    """Is killed within a transaction that was spilled into the log and never committed."""
    connection = connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.execute("PRAGMA cache_size=2")
    connection.execute("BEGIN IMMEDIATE")
    for n in range(200):
        connection.execute("INSERT INTO task_queue (type, payload) VALUES ('never', ?)", (json.dumps({"x": "y" * 3000}),))
    os._exit(0)


def die_with_journal(path):
    """Is killed within a transaction that has begun to change the file; the journal would undo it."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.execute("PRAGMA cache_size=2")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE task_queue SET status = 'completed'")
    for n in range(200):
        connection.execute("INSERT INTO task_queue (type, payload) VALUES ('never', ?)", (json.dumps({"x": "y" * 3000}),))
    os._exit(0)


def drain(path, worker="python-1"):
    """Claims by SQL and finishes what it claims until nothing is due; prints the rows it worked on."""
    connection = connect(path)
    while True:
        connection.execute("BEGIN IMMEDIATE")
        row = connection.execute(CLAIM, (worker,)).fetchone()
        connection.execute("COMMIT")
        if row is None:
            break
        payload = json.loads(row["payload"])
        for name in ("run_after_utc", "created_at_utc", "updated_at_utc", "lease_until_utc"):
            # as the original's models do
            text = row[name]
            if "T" in text:
                datetime.fromisoformat(text.replace("Z", "+00:00"))
            else:
                datetime.strptime(text, "%Y-%m-%d %H:%M:%S")
        print(json.dumps({"id": row["id"], "type": row["type"], "payload": payload, "attempts": row["attempts"]}))
        connection.execute(
            "UPDATE task_queue SET status = 'completed', attempts = attempts + 1, finished_at_utc = datetime('now'),"
            " updated_at_utc = datetime('now') WHERE id = ?",
            (row["id"],),
        )
    connection.close()


def enqueue(path, count="1"):
    """Stores tasks as the original's enqueue does."""
    connection = connect(path)
    for n in range(int(count)):
        connection.execute(
            "INSERT INTO task_queue (type, priority, payload, compatibility, max_attempts, run_after_utc, idempotency_key)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            ("added", 100, json.dumps({"n": n}), "{}", 5, datetime.now(timezone.utc).isoformat(), None),
        )
    connection.close()


def dump(path):
    connection = connect(path)
    print(json.dumps([dict(row) for row in connection.execute("SELECT * FROM task_queue ORDER BY id")]))
    connection.close()


def schema(path):
    """What the tables and indexes are like, however their statements are laid out."""
    connection = connect(path)
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
    tables = {name: [tuple(row) for row in connection.execute(f"PRAGMA table_xinfo({name})")] for name in names}
    indexes = {name: sorted(
        (row["name"], row["unique"], row["partial"],
         [tuple(column) for column in connection.execute(f"PRAGMA index_info('{row['name']}')")])
        for row in connection.execute(f"PRAGMA index_list({name})")) for name in names}
    print(json.dumps([tables, indexes]))
    connection.close()


COMMANDS = {
    "create": create, "execute": execute, "bulk": bulk, "die-with-wal": die_with_wal,
    "die-uncommitted": die_uncommitted, "die-with-journal": die_with_journal, "drain": drain,
    "enqueue": enqueue, "dump": dump, "schema": schema,
}

if __name__ == "__main__":
    COMMANDS[sys.argv[1]](*sys.argv[2:])
