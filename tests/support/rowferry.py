"""What the tests in Python share: nodes on disk, runs of the binary, pictures of the state.

Every claim is an `expect`: the first that does not hold ends the test with exit 1, naming what
was run. ROWFERRY is the binary, ROWFERRY_TOOLS where tests/tools were built."""

import base64
import collections
import hashlib
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import traceback

BINARY = os.environ["ROWFERRY"]
TOOLS = pathlib.Path(os.environ["ROWFERRY_TOOLS"])
SHIM = TOOLS / "fault_shim.so"
LONG = os.environ.get("ROWFERRY_LONG") == "1"


class Failure(Exception):
    """A claim that does not hold."""


def expect(condition, what):
    if not condition:
        raise Failure(what)


def expect_equal(found, wanted, what):
    if found == wanted:
        return
    if isinstance(found, (list, tuple)) and isinstance(wanted, (list, tuple)) and \
            len(found) == len(wanted):
        differing = [i for i in range(len(found)) if found[i] != wanted[i]]
        what = f"{what}: items {differing[:10]}"
        found, wanted = [[side[i] for i in differing] for side in (found, wanted)]
    raise Failure(f"{what}:\n  found  {repr(found)[:2000]}\n  wanted {repr(wanted)[:2000]}")


def temporary_folder(size_max=1 << 30):
    """A new folder where fsync costs nothing, if there is such a place with room for
    size_max bytes; the caller's to use as a context."""
    place = "/dev/shm"
    if not os.access(place, os.W_OK) or shutil.disk_usage(place).free < 2 * size_max:
        place = None
    return tempfile.TemporaryDirectory(prefix="rowferry-test-", dir=place)


def fault_environment(**faults):
    """The environment that preloads the shim: kill=N, tear=N, full=N, path=TEXT, trace=FILE."""
    added = {"FAULT_" + name.upper(): str(value) for name, value in faults.items()
             if value is not None}
    added["LD_PRELOAD"] = str(SHIM)
    added["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
    return added


class Run:
    """One run of the binary that has ended."""

    def __init__(self, words, code, output, errors, aborts=False):
        self.words, self.code, self.output, self.errors = words, code, output, errors
        expect("Sanitizer" not in errors and "runtime error:" not in errors, str(self))
        expect("Assertion" not in errors and (code != -6 or aborts), str(self))

    def __str__(self):
        return (f"rowferry {' '.join(self.words)}: exit {self.code}\n{self.output[:1000]}"
                f"{self.errors[:4000]}")

    def json(self):
        return json.loads(self.output)

    def json_lines(self):
        return [json.loads(line) for line in self.output.splitlines()]


def run(*words, code=0, environment=None, user=None, wrap=(), aborts=False):
    """Run rowferry; code: what it must return, None for anything. wrap: words before it.
    aborts: a library may end it by abort()."""
    words = [str(word) for word in words]
    ended = subprocess.run([*wrap, BINARY, *words], stdin=subprocess.DEVNULL,
                           capture_output=True, user=user,
                           env={**os.environ, **(environment or {})})
    result = Run(words, ended.returncode, ended.stdout.decode(), ended.stderr.decode(),
                 aborts)
    expect(code is None or ended.returncode == code, f"{result}\n(wanted exit {code})")
    return result


def refuse(code, saying, *words, **options):
    """Run rowferry; it must return code and say one line with `saying` in it."""
    result = run(*words, code=code, **options)
    expect(result.errors.count("\n") == 1 and result.errors.endswith("\n"),
           f"{result}\n(wanted one line on stderr)")
    expect(saying in result.errors, f"{result}\n(wanted '{saying}' in it)")
    return result


def sha(path):
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None


def listing(folder):
    """Names, sizes, modification times and contents of a folder's files."""
    return {path.name: (path.stat().st_size, path.stat().st_mtime_ns, sha(path))
            for path in sorted(folder.iterdir())}


class Node:
    """A database and a store in one folder."""

    def __init__(self, folder, name):
        self.name = name
        self.folder = pathlib.Path(folder)
        self.database = self.folder / f"{name}.db"
        self.store = self.folder / f"{name}.store"

    def run(self, *words, **options):
        return run("--store", self.store, *words, **options)

    def refuse(self, code, saying, *words, **options):
        return refuse(code, saying, "--store", self.store, *words, **options)

    def sync(self, folder, **options):
        return self.run("sync", folder, **options)

    def init(self, *words, **options):
        return self.run("init", f"sqlite:{self.database}", "--name", self.name, *words, **options)

    def set_line(self, name, value):
        """Change a line of rowferry.ini that init has written."""
        path = self.store / "rowferry.ini"
        lines = path.read_text().splitlines()
        expect(any(line.startswith(f"{name} = ") for line in lines), f"{name} in {path}")
        path.write_text("".join((f"{name} = {value}" if line.startswith(f"{name} = ") else line) +
                                "\n" for line in lines))

    def write(self, sql, mode=None):
        """What an application does, in one transaction on a connection of its own."""
        connection = sqlite3.connect(self.database, isolation_level=None)
        try:
            if mode is not None:
                connection.execute(f"PRAGMA journal_mode = {mode}")
            connection.execute("BEGIN IMMEDIATE")
            if callable(sql):
                sql(connection)
            else:
                for statement in [sql] if isinstance(sql, str) else sql:
                    connection.execute(statement)
            connection.execute("COMMIT")
        finally:
            connection.close()

    def script(self, sql):
        connection = sqlite3.connect(self.database)
        connection.executescript(sql)
        connection.close()

    def rows(self, sql, *values):
        """A query's rows; text as its bytes, so that all of it can be compared."""
        connection = sqlite3.connect(self.database)
        connection.text_factory = bytes
        try:
            return connection.execute(sql, values).fetchall()
        finally:
            connection.close()

    def log(self, *words):
        return self.run("log", "--json", *words).json_lines()

    def changes(self):
        """By origin's name: its changes in the log, (op, table, key, row), in their order."""
        found = collections.defaultdict(list)
        for entry in self.log():
            for change in entry.get("changes", []):
                found[entry["name"]].append(
                    (change["op"], change["table"], json.dumps(change["key"]),
                     json.dumps(change.get("row"), sort_keys=True)))
        return found

    def last_seq(self):
        return self.run("status", "--json").json()["last_seq"]

    def inspect(self):
        said = subprocess.run([TOOLS / "inspect_store", self.store], capture_output=True)
        expect(said.returncode == 0, said.stderr.decode())
        return json.loads(said.stdout)

    def check(self):
        self.run("verify")
        self.run("diff")

    def picture(self):
        """All that a command that is refused leaves as it was: what the store knows, the
        database's bytes."""
        return (self.inspect() if self.store.exists() else None, sha(self.database),
                sha(self.database.with_name(self.database.name + "-wal")))


def copy_folder(folder, to):
    """Copy a folder of nodes; what they say of their databases' places goes with it."""
    shutil.copytree(folder, to, symlinks=True)
    for settings in to.glob("*.store/rowferry.ini"):
        settings.write_text(settings.read_text().replace(f"{folder}/", f"{to}/"))


PAIR_SCHEMA = """
CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT UNIQUE, n INTEGER);
CREATE TABLE part (id TEXT PRIMARY KEY, item INTEGER REFERENCES item(id), data BLOB)
    WITHOUT ROWID;
INSERT INTO item VALUES (1, 'one', 1), (2, 'two', 2), (3, 'three', 3);
INSERT INTO part VALUES ('p', 1, x'00ff'), ('q', NULL, NULL);
"""


def make_pair(folder, schema=PAIR_SCHEMA, prepare_b=None):
    """a founds a fleet with this schema, b joins; both hold the same. What prepare_b(b) makes
    is b's database; else it gets the founder's tables."""
    (folder / "shared").mkdir(parents=True)
    a, b = Node(folder, "a"), Node(folder, "b")
    a.script(schema)
    a.init()
    a.run("token", folder / "token")
    if prepare_b is not None:
        prepare_b(b)
    b.init("--join", folder / "token", *([] if prepare_b else ["--create-tables"]))
    settle([a, b], folder / "shared")
    return a, b


def settle(nodes, folder, rounds=6):
    """Sync all nodes until none has anything more to tell."""
    for _ in range(rounds):
        moved = 0
        for node in nodes:
            said = node.run("sync", folder, "--json").json()
            moved += (said["sent"]["entries"] + said["received"]["entries"] +
                      said["captured"]["entries"])
        if moved == 0:
            return
    raise Failure(f"{rounds} rounds and the nodes still exchange entries")


def blob(data):
    return {"blob64": base64.b64encode(data).decode()}


def main(tests, size_max=1 << 30):
    """Run the tests (all, or those named on the command line), each in a folder that takes
    at most size_max bytes; exit 1 when one fails."""
    wanted = sys.argv[1:]
    failed = 0
    for test in tests:
        if wanted and test.__name__ not in wanted:
            continue
        with temporary_folder(size_max) as folder:
            try:
                test(pathlib.Path(folder))
                print(f"ok      {test.__name__}", flush=True)
            except Failure as failure:
                failed += 1
                print(f"FAILED  {test.__name__}: {failure}", flush=True)
            except Exception:  # the test itself is wrong; the others are run all the same
                failed += 1
                print(f"FAILED  {test.__name__}: {traceback.format_exc()}", flush=True)
    sys.exit(1 if failed else 0)
