#!/usr/bin/env python3
"""Writers with the extension, several at a time, killed at any moment, while captures run that
are killed too: the log holds exactly the committed transactions, each with its own rows, in the
order of their commits. The oracle is a table that the test's own triggers fill.

ROWFERRY_SEED gives one seed; ROWFERRY_LONG=1 runs ten times as much."""

import itertools
import json
import os
import pathlib
import random
import signal
import sqlite3
import subprocess
import sys
import time

if not hasattr(sqlite3.Connection, "enable_load_extension") and \
        sys.executable != "/usr/bin/python3" and os.access("/usr/bin/python3", os.X_OK):
    os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from rowferry import BINARY, LONG, Node, expect, expect_equal, main  # noqa: E402

EXTENSION = pathlib.Path(BINARY).parent / "rowferry.so"
KILLS = 3000 if LONG else 300
WRITERS = 3

TABLES = {  # columns, the key's first
    "item": ("id", "name", "n"),
    "total": ("kind", "count"),
    "parent": ("id", "v"),
    "child": ("id", "parent", "v"),
    "pair": ("a", "b", "v"),
}
KEYS = {"item": 1, "total": 1, "parent": 1, "child": 1, "pair": 2}

SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT UNIQUE, n INTEGER);
CREATE TABLE total (kind TEXT PRIMARY KEY, count INTEGER) WITHOUT ROWID;
CREATE TABLE parent (id INTEGER PRIMARY KEY, v INTEGER);
CREATE TABLE child (id INTEGER PRIMARY KEY,
                    parent INTEGER REFERENCES parent(id) ON DELETE CASCADE ON UPDATE CASCADE,
                    v INTEGER);
CREATE TABLE pair (a INTEGER, b TEXT, v INTEGER, PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE TABLE now (id INTEGER PRIMARY KEY CHECK (id = 1), tx TEXT);
CREATE TABLE audit (n INTEGER PRIMARY KEY AUTOINCREMENT, tx TEXT, tab TEXT, old TEXT, new TEXT);
INSERT INTO now VALUES (1, '');
INSERT INTO total VALUES ('item', 0);
INSERT INTO parent VALUES (1, 0), (2, 0), (3, 0);
CREATE TRIGGER item_total AFTER INSERT ON item BEGIN
    UPDATE total SET count = count + 1 WHERE kind = 'item'; END;
"""
BASE = {("total", ("item",)): ["item", 0], **{("parent", (i,)): [i, 0] for i in (1, 2, 3)}}


def audit_triggers():
    for table, columns in TABLES.items():
        def image(side):
            return "json_array(" + ", ".join(f"{side}.{column}" for column in columns) + ")"
        for event, old, new in (("INSERT", "NULL", image("new")), ("DELETE", image("old"), "NULL"),
                                ("UPDATE", image("old"), image("new"))):
            yield (f"CREATE TRIGGER audit_{table}_{event} AFTER {event} ON {table} BEGIN "
                   f"INSERT INTO audit (tx, tab, old, new) SELECT tx, '{table}', {old}, {new} "
                   "FROM now; END;")


class Writer:
    """One process's life: transactions until it is killed or done."""

    def __init__(self, database, seed):
        self.random = random.Random(seed)
        self.seed = seed
        self.connection = sqlite3.connect(database, isolation_level=None, timeout=30)
        self.run("PRAGMA foreign_keys = ON")
        self.run("PRAGMA recursive_triggers = ON")  # so that REPLACE's deletes are audited
        self.connection.enable_load_extension(True)
        self.connection.load_extension(str(EXTENSION))

    def run(self, sql, *values):
        return self.connection.execute(sql, values).fetchall()

    def change(self):
        r = self.random
        key, other, value = r.randrange(12), r.randrange(12), r.randrange(5)
        name = "name%d" % r.randrange(8)
        self.run(*r.choice((
            ("INSERT OR IGNORE INTO item VALUES (?, ?, ?)", key, name, value),
            ("INSERT OR REPLACE INTO item VALUES (?, ?, ?)", key, name, value),
            ("UPDATE OR REPLACE item SET name = ? WHERE id = ?", name, key),
            ("UPDATE OR IGNORE item SET id = ? WHERE id = ?", other, key),
            ("UPDATE item SET n = n + 1 WHERE id < ?", key),
            ("DELETE FROM item WHERE id = ?", key),
            ("INSERT OR IGNORE INTO parent VALUES (?, ?)", key, value),
            ("DELETE FROM parent WHERE id = ?", key),
            ("UPDATE OR IGNORE parent SET id = ? WHERE id = ?", other, key),
            ("INSERT OR REPLACE INTO child SELECT ?, id, ? FROM parent ORDER BY random() LIMIT 1",
             key, value),
            ("UPDATE child SET v = ? WHERE parent = ?", value, key),
            ("INSERT INTO pair VALUES (?, ?, ?) ON CONFLICT (a, b) DO UPDATE SET v = excluded.v",
             key % 4, name, value),
            ("UPDATE OR REPLACE pair SET a = ? WHERE b = ?", other % 4, name),
            ("DELETE FROM pair WHERE a = ?", key % 4),
        )))

    def changes(self):
        for _ in range(self.random.randrange(4)):
            self.change()

    def savepoints(self):
        name = "s%d" % self.random.randrange(3)
        self.run(f"SAVEPOINT {name}")
        self.changes()
        if self.random.random() < 0.3:
            self.savepoints()
        if self.random.random() < 0.5:
            self.run(f"ROLLBACK TO {name}")
        self.changes()
        self.run(f"RELEASE {name}")

    def transaction(self, number):
        self.run("BEGIN IMMEDIATE")
        self.run("UPDATE now SET tx = ?", f"{self.seed}.{number}")
        self.changes()
        if self.random.random() < 0.3:  # a part of its own: what follows adds to it
            self.run("SELECT rowferry_commit()")
        if self.random.random() < 0.4:
            self.savepoints()
        self.changes()
        if self.random.random() < 0.15:
            self.run("ROLLBACK")
            return
        self.run("SELECT rowferry_note(?)", f"{self.seed}.{number}")
        [(stored,)] = self.run("SELECT rowferry_commit()")
        if stored is None:
            raise RuntimeError(self.run("SELECT rowferry_error()"))
        self.run("ROLLBACK" if self.random.random() < 0.05 else "COMMIT")

    def live(self, transactions, die_at):
        steps = [0]

        def step():
            steps[0] += 1
            if steps[0] == die_at:
                os.kill(os.getpid(), signal.SIGKILL)
            return 0

        self.connection.set_progress_handler(step, 20)
        for number in range(transactions):
            self.transaction(number)


def spawn(database, seed, transactions, die_at):
    child = os.fork()
    if child != 0:
        return child
    try:
        Writer(database, seed).live(transactions, die_at)
        os._exit(0)
    except BaseException as failure:  # noqa: B902: the child says why and ends
        sys.stderr.write(f"writer {seed}: {failure!r}\n")
        os._exit(1)


def committed(node):
    """The oracle: by transaction, in the order of commits, what became of each row."""
    result, state = [], dict(BASE)
    for tx, table, old, new in node.rows("SELECT tx, tab, old, new FROM audit ORDER BY n"):
        if not result or result[-1][0] != tx:
            result.append((tx, {}))
        touched = result[-1][1]
        for image, row in ((old, None), (new, json.loads(new) if new else None)):
            if image is not None:
                values = json.loads(image)
                touched[(table.decode(), tuple(values[:KEYS[table.decode()]]))] = row
    for tx, touched in result:
        for key in [key for key, row in touched.items() if state.get(key) == row]:
            del touched[key]
        state.update(touched)
    return [(tx.decode(), touched) for tx, touched in result if touched]


def logged(node):
    """What the log says, folded in the same way; each value before must be the one before."""
    result, state = [], dict(BASE)
    for entry in node.log():
        if entry["kind"] != "changes" or entry["base"]:
            continue
        touched = {}
        for change in entry["changes"]:
            table = change["table"]
            columns = TABLES[table]
            key = (table, tuple(change["key"][column] for column in columns[:KEYS[table]]))
            row = change.get("row")
            was = touched.get(key, state.get(key))
            for column, value in change.get("old", {}).items():
                expect(was is not None and was[columns.index(column)] == value,
                       f"entry {entry['seq']} {key}: {column} was {value!r}, not {was}")
            touched[key] = None if row is None else [row[column] for column in columns]
        for key in [key for key, row in touched.items() if state.get(key) == row]:
            del touched[key]
        state.update(touched)
        if touched or len(entry["changes"]) == 1:  # parts may undo each other
            result.append((entry.get("note"), touched))
    return result


class Captures:
    """rowferry capture, again and again, one in two killed."""

    def __init__(self, node, rng):
        self.node, self.random, self.process = node, rng, None
        self.kills = self.done = 0

    def poll(self):
        if self.process is None:
            self.process = subprocess.Popen([BINARY, "--store", self.node.store, "capture"],
                                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            self.kill_at = time.monotonic() + self.random.random() * 0.03 \
                if self.random.random() < 0.5 else None
        elif self.process.poll() is not None:
            expect(self.process.returncode == 0,
                   f"capture: {self.process.returncode} {self.process.stderr.read()}")
            self.done += 1
            self.end()
        elif self.kill_at is not None and time.monotonic() >= self.kill_at:
            self.process.kill()
            self.process.wait()
            self.kills += 1
            self.end()

    def end(self):
        self.process.stderr.close()
        self.process = None

    def finish(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.end()


def the_log_holds_exactly_the_committed_transactions(folder):
    seed = int(os.environ.get("ROWFERRY_SEED") or random.randrange(1 << 32))
    print(f"seed {seed}", flush=True)
    rng = random.Random(seed)
    node = Node(folder, "a")
    node.script(SCHEMA + "\n".join(audit_triggers()))
    node.init("--tables", ",".join(TABLES))
    captures, writers = Captures(node, rng), {}
    kills, born = 0, 0
    while kills + captures.kills < KILLS or writers:
        while len(writers) < WRITERS and kills + captures.kills < KILLS:
            born += 1
            child = spawn(node.database, seed + born, rng.randrange(1, 12),
                          rng.randrange(1, 400) if rng.random() < 0.6 else 0)
            writers[child] = time.monotonic() + rng.random() * 0.05 \
                if rng.random() < 0.5 else None
        for child, kill_at in list(writers.items()):
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended == 0 and kill_at is not None and time.monotonic() >= kill_at:
                os.kill(child, signal.SIGKILL)
                writers[child] = None
            elif ended != 0:
                killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
                expect(killed or status == 0, f"a writer ended with {status}")
                kills += killed
                del writers[child]
        captures.poll()
        time.sleep(0.0005)  # only to leave the processors to the others
    captures.finish()
    expect_equal(node.rows("PRAGMA integrity_check"), [(b"ok",)], "the database")
    node.run("capture")
    node.run("capture")
    wanted = committed(node)
    found = logged(node)
    for i, (here, there) in enumerate(itertools.zip_longest(found, wanted)):
        expect_equal(here, there, f"transaction {i} of {len(found)} found, {len(wanted)} wanted")
    node.check()
    expect(kills >= KILLS // 3 and captures.kills > 0 and captures.done > 0, "too few kills")
    print(f"{born} writers, {kills} of them killed, {captures.kills} captures killed, "
          f"{captures.done} not; {len(wanted)} transactions", flush=True)


main([the_log_holds_exactly_the_committed_transactions])
