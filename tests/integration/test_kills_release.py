"""kill -9 at each writing call of each command: the same command again succeeds, nothing is
lost, nothing comes twice, and verify and diff are clean on every node.

tests/tools/fault_shim.c counts a command's calls that write; each run of a command is ended at
another one, every second time in the middle of its write. What is found on the disk tells in
which window it died. With ROWFERRY_LONG=1 every call of every command is tried, else of those
with much data only some."""

import collections
import concurrent.futures
import json
import os
import pathlib
import shutil
import sqlite3
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from rowferry import (LONG, Failure, Node, blob, copy_folder, expect, expect_equal,  # noqa: E402
                      fault_environment, run, settle, temporary_folder)

WINDOWS = ["log committed, database not", "database committed, store has not seen it",
           "intent, no COMMIT", "COMMIT, no fold", "between merge steps",
           "segment renamed, state file not", "in mid-init", "in mid-import"]
MET_MIN = 10
TRIES_MAX = 20  # of a command whose data is large

SCHEMA = """
CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT UNIQUE, n INTEGER);
CREATE TABLE part (id TEXT PRIMARY KEY, item INTEGER REFERENCES item(id), data BLOB)
    WITHOUT ROWID;
"""
TABLES = {"item": ["id", "name", "n"], "part": ["id", "item", "data"]}


def as_json(value):
    return blob(value) if isinstance(value, bytes) else value


class Application:
    """What the application wrote, by its own account: never asked of rowferry."""

    def __init__(self):
        self.rows = {table: {} for table in TABLES}
        self.changes = collections.defaultdict(collections.Counter)

    def read(self, node):
        connection = sqlite3.connect(node.database)
        rows = {table: {row[0]: row for row in connection.execute(f"SELECT * FROM {table}")}
                for table in TABLES}
        connection.close()
        return rows

    def account(self, node, before, after):
        for table, columns in TABLES.items():
            for key in before[table].keys() | after[table].keys():
                old, new = before[table].get(key), after[table].get(key)
                if old == new:
                    continue
                op = "insert" if old is None else "delete" if new is None else "update"
                row = None if new is None else dict(zip(columns, map(as_json, new)))
                self.changes[node.name][op, table, json.dumps({"id": key}),
                                        json.dumps(row, sort_keys=True)] += 1
                if new is None:
                    del self.rows[table][key]
                else:
                    self.rows[table][key] = new

    def write(self, node, statements):
        before = self.read(node)
        node.write(statements)
        self.account(node, before, self.read(node))

    def check(self, nodes):
        """All of it is on every node, each change once in every log."""
        for node in nodes:
            node.check()
            expect_equal(self.read(node), self.rows, f"rows of {node.name}")
            found = {name: collections.Counter(changes)
                     for name, changes in node.changes().items()}
            expect_equal(found, self.changes, f"changes in the log of {node.name}")


class Command:
    """A command to be killed: in which folder, of which node, its words; and which nodes must
    then agree by way of the folder `shared`."""

    def __init__(self, name, folder, node, words, nodes, application, entries=0, large=False):
        self.name, self.folder, self.node, self.words = name, folder, node, words
        self.nodes, self.application = nodes, application
        self.entries = entries  # that it imports
        self.large = large

    def place(self, folder):
        return Node(folder, self.node)

    def run(self, folder, **options):
        words = [word.replace("{}", str(folder)) for word in self.words]
        return self.place(folder).run(*words, **options)


# ---- what was found on the disk


def database_state(node, scratch):
    """rowferry_state as the next reader finds it, read from a copy: reading may end a
    transaction that was cut off."""
    scratch.mkdir()
    for suffix in ("", "-wal", "-journal"):
        source = node.database.with_name(node.database.name + suffix)
        if source.exists():
            shutil.copy(source, scratch)
    connection = sqlite3.connect(scratch / node.database.name)
    connection.row_factory = sqlite3.Row
    try:
        row = connection.execute("SELECT * FROM rowferry_state").fetchone()
        return dict(row) if row is not None else {}
    except sqlite3.OperationalError:
        return {}
    finally:
        connection.close()
        shutil.rmtree(scratch)


def look(node, scratch):
    whole = (node.store / "data.mdb").exists()
    shared = node.folder / "shared"
    return {
        "store": node.inspect() if whole else None,
        "cradle": node.store.with_name(node.store.name + ".init").exists(),
        "database": database_state(node, scratch) if node.database.exists() else {},
        "segments": {path.name for path in shared.glob("*.rfseg")},
        "states": {path.name: path.read_bytes() for path in shared.glob("*.rfstate")},
    }


def windows(command, before, now):
    """The windows in which this state is."""
    store, old = now["store"], before["store"]
    counter = now["database"].get("counter", 0)
    if command.words[0] == "init":
        return [WINDOWS[6]] if now["cradle"] else []
    found = []
    intent = store["intent"]
    advanced = store["last_seq"] > old["last_seq"]
    if store["adoption"]:
        found.append(WINDOWS[4])
    if intent is not None:
        found.append(WINDOWS[3 if counter >= intent["counter"] else 2])
    elif command.words[0] in ("capture", "sync") and counter == store["seen"] and advanced \
            and counter == before["database"].get("counter", 0) and not old["join"]:
        found.append(WINDOWS[0])
    elif counter == store["seen"] + 1:
        found.append(WINDOWS[1])
    if command.entries > 0 and old["last_seq"] < store["last_seq"] < \
            old["last_seq"] + command.entries:
        found.append(WINDOWS[7])
    if now["segments"] - before["segments"] and now["states"] == before["states"]:
        found.append(WINDOWS[5])
    return found


# ---- one kill and what follows


def calls_of(command, scratch):
    """The command's writing calls, in order."""
    folder, trace = scratch / "whole", scratch / "whole.trace"
    copy_folder(command.folder, folder)
    command.run(folder, environment=fault_environment(trace=trace))
    shutil.rmtree(folder)
    return [line.split()[1] for line in trace.read_text().splitlines()
            if not line.startswith("- ")]


def try_kill(command, before, number, tear, scratch):
    """Kill the command at this call, then go on as a user would."""
    folder = scratch / f"{number}"
    copy_folder(command.folder, folder)
    environment = fault_environment(**{"tear" if tear else "kill": number})
    try:
        command.run(folder, code=-9, environment=environment)
        node = command.place(folder)
        found = windows(command, before, look(node, folder / "scratch"))
        if (node.store / "data.mdb").exists():
            node.run("verify")
        command.run(folder)
        nodes = [Node(folder, name) for name in command.nodes]
        if len(nodes) > 1:
            settle(nodes, folder / "shared")
        command.application.check(nodes)
    except Failure as failure:
        raise Failure(f"{command.name}, {'torn' if tear else 'killed'} at call {number}: "
                      f"{failure}") from failure
    shutil.rmtree(folder)
    return found


def choose(calls, large):
    """Numbers of calls to die at. Dying at a sync leaves what dying at the next call does."""
    numbers = [i + 1 for i, call in enumerate(calls) if call not in ("fsync", "fdatasync")]
    step = max(1.0, len(numbers) / TRIES_MAX) if large and not LONG else 1.0
    return [numbers[int(i * step)] for i in range(int(len(numbers) / step))]


def try_command(command, folder, pool, met):
    start = time.monotonic()
    scratch = folder / "try"
    scratch.mkdir()
    before = look(command.place(command.folder), scratch / "state")
    calls = calls_of(command, scratch)
    chosen = choose(calls, command.large)
    tries = [pool.submit(try_kill, command, before, number, i % 2 == 1, scratch)
             for i, number in enumerate(chosen)]
    here = collections.Counter()
    for attempt in tries:
        here.update(attempt.result())
    met.update(here)
    shutil.rmtree(scratch)
    print(f"{command.name}: {len(calls)} writing calls, killed at {len(chosen)}, "
          f"{time.monotonic() - start:.1f} s; " +
          ", ".join(f"{name} {count}" for name, count in sorted(here.items())), flush=True)


# ---- the commands


def found_fleet(folder, application, mode="DELETE", schema=SCHEMA):
    """a founds, b joins; both hold the same."""
    (folder / "shared").mkdir(parents=True)
    a, b = Node(folder, "a"), Node(folder, "b")
    a.script(f"PRAGMA journal_mode = {mode};" + schema)
    application.write(a, [f"INSERT INTO item VALUES ({i}, 'item {i}', {i})"
                          for i in range(1, 21)])
    a.init()
    a.run("token", folder / "token")
    b.init("--join", folder / "token", "--create-tables")
    settle([a, b], folder / "shared")
    b.script(f"PRAGMA journal_mode = {mode}")
    return a, b


def small_writes(application, node, first):
    application.write(node, [
        f"INSERT INTO item VALUES ({first}, 'new {first}', NULL), ({first + 1}, NULL, 5)",
        f"INSERT INTO part VALUES ('{node.name} {first}', {first}, x'00ff')",
        f"UPDATE item SET n = n + 100 WHERE id IN ({first % 20 + 1}, {first % 20 + 2})",
        f"DELETE FROM item WHERE id = {first % 20 + 3}",
    ])


def big_rows(count, size, first, name):
    """Statements that insert this many rows of this size."""
    return [f"INSERT INTO part SELECT '{name} ' || value, 1, randomblob({size}) "
            f"FROM (WITH RECURSIVE n(value) AS (SELECT {first} UNION ALL SELECT value + 1 "
            f"FROM n WHERE value < {first + count - 1}) SELECT value FROM n)"]


def make_visit(folder, mode):
    """A visit that captures, receives, applies and sends."""
    application = Application()
    a, b = found_fleet(folder, application, mode)
    small_writes(application, b, 100)
    b.sync(folder / "shared")
    small_writes(application, b, 110)
    b.sync(folder / "shared")
    small_writes(application, a, 205)
    return Command(f"sync ({mode})", folder, "a", ["sync", "{}/shared"], ["a", "b"], application)


def make_capture(folder, mode):
    application = Application()
    a, _ = found_fleet(folder, application, mode)
    small_writes(application, a, 205)
    return Command(f"capture ({mode})", folder, "a", ["capture"], ["a", "b"], application)


def make_large_capture(folder):
    """A transaction that is logged in parts and merged in steps."""
    application = Application()
    a, _ = found_fleet(folder, application)
    application.write(a, big_rows(300, 10000, 1, "big"))
    return Command("capture in parts", folder, "a", ["capture"], ["a", "b"], application,
                   large=True)


def make_import(folder):
    """A segment of many entries, one of them in parts."""
    application = Application()
    a, b = found_fleet(folder, application)
    for i in range(6):
        application.write(b, big_rows(4, 100000, 1, f"entry {i}"))
        b.run("capture")
    application.write(b, big_rows(150, 10000, 1, "more"))
    b.run("capture")
    b.run("export", folder / "segment", "--since", "a")
    return Command("import", folder, "a", ["import", "{}/segment"], ["a", "b"], application,
                   entries=7, large=True)


def make_apply(folder, imported, mode):
    """The same, imported and not yet applied."""
    copy_folder(imported.folder, folder)
    node = Node(folder, "a")
    node.script(f"PRAGMA journal_mode = {mode}")
    imported.run(folder)
    return Command(f"apply ({mode})", folder, "a", ["apply"], ["a", "b"],
                   imported.application, large=True)


def make_init(folder):
    application = Application()
    (folder / "shared").mkdir(parents=True)
    node = Node(folder, "a")
    node.script(SCHEMA)
    application.write(node, ["INSERT INTO item VALUES (1, 'one', 1)"] +
                      big_rows(6000, 10, 1, "small") + big_rows(100, 10000, 1, "big"))
    return Command("init", folder, "a", ["init", "sqlite:{}/a.db", "--name", "a"], ["a"],
                   application, large=True)


def make_join(folder):
    """A newcomer's init."""
    application = Application()
    a, b = found_fleet(folder, application)
    small_writes(application, b, 100)
    settle([a, b], folder / "shared")
    return Command("init --join", folder, "c",
                   ["init", "sqlite:{}/c.db", "--name", "c", "--join", "{}/token",
                    "--create-tables"], ["a", "b", "c"], application)


def make_first_sync(folder, join):
    copy_folder(join.folder, folder)
    join.run(folder)
    return Command("first sync", folder, "c", ["sync", "{}/shared"], ["a", "b", "c"],
                   join.application, entries=4)


def make_resync(folder, prefer):
    """a's database is the one of before the last writes of both."""
    application = Application()
    a, b = found_fleet(folder, application)
    yesterday = a.database.read_bytes()
    small_writes(application, a, 205)
    small_writes(application, b, 110)
    settle([a, b], folder / "shared")
    a.database.write_bytes(yesterday)
    if prefer == "database":
        application.account(a, {table: dict(rows) for table, rows in application.rows.items()},
                            application.read(a))
    return Command(f"resync --prefer {prefer}", folder, "a", ["resync", "--prefer", prefer],
                   ["a", "b"], application)


def commands(folder):
    for mode in ("DELETE", "WAL"):
        yield make_visit(folder / f"visit {mode}", mode)
        yield make_capture(folder / f"capture {mode}", mode)
    yield make_large_capture(folder / "large")
    imported = make_import(folder / "import")
    yield imported
    for mode in ("DELETE", "WAL"):
        yield make_apply(folder / f"apply {mode}", imported, mode)
    yield make_init(folder / "init")
    join = make_join(folder / "join")
    yield join
    yield make_first_sync(folder / "first", join)
    for prefer in ("log", "database"):
        yield make_resync(folder / f"resync {prefer}", prefer)


def main():
    met = collections.Counter({name: 0 for name in WINDOWS})
    workers = len(os.sched_getaffinity(0))
    wanted = sys.argv[1:]
    with temporary_folder() as path, \
            concurrent.futures.ThreadPoolExecutor(workers) as pool:
        folder = pathlib.Path(path)
        try:
            for command in commands(folder):
                if not wanted or command.name in wanted:
                    try_command(command, folder, pool, met)
        except Failure as failure:
            pool.shutdown(cancel_futures=True)
            print(f"FAILED  {failure}")
            sys.exit(1)
    missed = 0
    for name in WINDOWS:
        missed += met[name] < MET_MIN
        print(f"{met[name]:5} x {name}")
    if missed and not wanted:
        print(f"FAILED  each window is to be met {MET_MIN} times")
        sys.exit(1)


main()
