"""Memory runs out at one allocation of one command, and is there again for the next: the
command says so in one line with exit 3 (or does without, and then its output is what it always
is), leaks nothing, and the same command again succeeds; verify and diff are clean.

tests/tools/memory_shim.c counts the allocations, those of SQLite, LMDB and the others too. Of
those that were asked for by one and the same chain of calls one is tried, picked by the seed
(ROWFERRY_SEED); every second time all that follow fail with it. In an ordinary run only some
chains are tried, with ROWFERRY_LONG=1 every one."""

import collections
import concurrent.futures
import os
import pathlib
import random
import re
import shutil
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from rowferry import (LONG, TOOLS, Failure, Node, copy_folder, expect, expect_equal,  # noqa: E402
                      settle, temporary_folder)

TRIES = 2  # of each command in an ordinary run
SEED = int(os.environ.get("ROWFERRY_SEED") or random.SystemRandom().randrange(1 << 32))

SCHEMA = """
CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT UNIQUE, n INTEGER, shown TEXT AS (name));
CREATE TABLE part (id TEXT, place INTEGER, item INTEGER REFERENCES item(id), data BLOB,
    PRIMARY KEY (id, place)) WITHOUT ROWID;
CREATE UNIQUE INDEX low ON item (lower(name)) WHERE n > 0;
"""
ROWS = """
INSERT INTO item VALUES (1, 'one', 1), (2, 'two', 2), (3, 'three', 3), (4, NULL, NULL);
INSERT INTO part VALUES ('p', 1, 1, x'00ff'), ('q', 1, NULL, NULL), ('r', 2, 3, 2.5);
"""
STRICTER = SCHEMA.replace("n INTEGER", "n INTEGER CHECK (n < 1000)")


class Command:
    """A command to be tried: in which folder, at which node, its words."""

    def __init__(self, folder, node, *words, reads=False):
        self.folder, self.node, self.words, self.reads = folder, node, words, reads
        self.name = " ".join(words[:2] if words[0] == "init" else words).replace("{}/", "")

    def run(self, folder, **options):
        words = [word.replace("{}", str(folder)) for word in self.words]
        return Node(folder, self.node).run(*words, **options)


def memory_environment(leaks=True, **orders):
    added = {"MEMORY_" + name.upper(): str(value) for name, value in orders.items()}
    added["LD_PRELOAD"] = str(TOOLS / "memory_shim.so")
    added["ASAN_OPTIONS"] = (os.environ.get("ASAN_OPTIONS", "") +
                             f":verify_asan_link_order=0:detect_leaks={int(leaks)}")
    return added


def plain(text, folder):
    """Without what differs from run to run: the folder, times, ids."""
    text = text.replace(str(folder), "{}")
    return re.sub(r"\d\d:\d\d:\d\d(\.\d+)?|\b[0-9a-f]{16}\b|\d+ (second|minute)s?|"
                  r"[A-Za-z0-9+/=_-]{40,}", "*", text)


# ---- one try and what follows


def try_once(command, number, order, references, scratch):
    """Returns what failed, else what the command said (None: it did without the memory).

    libuv ends the program when it can't start its threads, without a word of its own: a kill,
    after some of what the command says always."""
    reference, reference_errors = references
    folder = scratch / f"{order}-{number}"
    copy_folder(command.folder, folder)
    node = Node(folder, command.node)
    try:
        run = command.run(folder, code=None, aborts=True,
                          environment=memory_environment(**{order: number}))
        killed = run.code == -6 and reference_errors.startswith(plain(run.errors, folder))
        expect(run.code in (0, 3) or killed, f"{run}\n(wanted exit 0 or 3)")
        lines = run.errors.splitlines()
        if run.code == 3:
            expect(lines and re.match(rf"rowferry( {command.words[0]})?: .", lines[-1]),
                   f"{run}\n(wanted a reason)")
        elif command.reads and run.code == 0:
            expect_equal(plain(run.output, folder), reference, f"{run}\noutput")
        if run.code != 0 or command.words[0] != "init":
            again = command.run(folder)
            if command.reads:
                expect_equal(plain(again.output, folder), reference, "output of the second run")
        if "--join" in command.words:
            node.sync(folder / "shared")
        node.check()
    except Failure as failure:
        return f"{command.name}, {order} {number}: {failure}", None
    finally:
        shutil.rmtree(folder)
    return None, plain(lines[-1], folder) if run.code == 3 else None


def chains_of(command, scratch):
    """By chain of calls: the numbers of its allocations; and the command's output and errors."""
    folder, trace = scratch / "whole", scratch / "trace"
    copy_folder(command.folder, folder)
    run = command.run(folder, environment=memory_environment(leaks=False, trace=trace))
    shutil.rmtree(folder)
    chains = collections.defaultdict(list)
    lines = trace.read_text().splitlines()
    trace.unlink()
    for line in lines:
        number, chain = line.split()
        chains[chain].append(int(number))
    return list(chains.values()), (plain(run.output, folder), plain(run.errors, folder))


def try_command(command, scratch, pool, seed):
    start = time.monotonic()
    generator = random.Random(f"{seed} {command.name}")
    chains, references = chains_of(command, scratch)
    if not LONG:
        chains = generator.sample(chains, min(TRIES, len(chains)))
    said = collections.Counter()
    failures = []
    tries = [pool.submit(try_once, command, generator.choice(numbers),
                         generator.choice(["once", "from"]), references, scratch)
             for numbers in chains]
    for attempt in tries:
        failure, line = attempt.result()
        said[line] += 1
        if failure is not None:
            failures.append(failure)
            print(f"FAILED  {failure}", flush=True)
    print(f"{command.name}: {len(chains)} tried, {len(failures)} failed, "
          f"{time.monotonic() - start:.1f} s", flush=True)
    if LONG:
        for line, count in said.most_common():
            print(f"{count:6} x {line}", flush=True)
    return failures


# ---- the commands


def make_fleet(folder):
    """a founds, b joins with a stricter schema; its texts are converted on their way."""
    (folder / "shared").mkdir(parents=True)
    a, b = Node(folder, "a"), Node(folder, "b")
    a.script(SCHEMA + ROWS)
    a.init()
    a.run("token", folder / "token")
    b.script("PRAGMA encoding = 'UTF-16le';" + STRICTER)
    b.init("--join", folder / "token")
    settle([a, b], folder / "shared")
    return a, b


def write_apart(a, b):
    """A conflict, a row for which its name is taken, one without a parent, one that only b
    refuses, a name that moves, a deleted row."""
    a.write(["UPDATE item SET n = 11 WHERE id = 1", "INSERT INTO item VALUES (10, 'new', 1)",
             "INSERT INTO item VALUES (11, 'large', 1001)", "DELETE FROM item WHERE id = 2",
             "INSERT INTO part VALUES ('s', 1, 10, zeroblob(3000))"])
    a.run("capture")
    a.write(["UPDATE item SET name = NULL WHERE id = 3",
             "UPDATE item SET name = 'three' WHERE id = 4",
             "DELETE FROM part WHERE id = 'q'"])
    b.write(["UPDATE item SET n = 12 WHERE id = 1", "INSERT INTO item VALUES (20, 'new', 2)",
             "INSERT INTO part VALUES ('t', 1, 2, x'01')",
             "INSERT INTO part VALUES ('t', 2, 20, x'02')"])


def make_all(folder):
    """Folders by name: what the commands begin from."""
    (folder / "init").mkdir(parents=True)
    Node(folder / "init", "a").script(SCHEMA + ROWS)

    a, b = make_fleet(folder / "join")
    copy_folder(folder / "join", folder / "first")
    Node(folder / "first", "c").init("--join", folder / "first" / "token", "--create-tables")

    copy_folder(folder / "join", folder / "pending")
    c = Node(folder / "pending", "c")
    c.script(SCHEMA + ROWS)
    c.init("--join", folder / "pending" / "token")
    Node(folder / "pending", "a").run("export", folder / "pending" / "segment")
    c.run("import", folder / "pending" / "segment")

    copy_folder(folder / "join", folder / "prefer")
    c = Node(folder / "prefer", "c")
    c.script(SCHEMA + ROWS)
    c.write("UPDATE item SET n = 7 WHERE id < 3")

    copy_folder(folder / "join", folder / "visit")
    a, b = Node(folder / "visit", "a"), Node(folder / "visit", "b")
    yesterday = b.database.read_bytes()
    write_apart(a, b)
    a.sync(folder / "visit" / "shared")

    copy_folder(folder / "visit", folder / "import")
    a, b = Node(folder / "import", "a"), Node(folder / "import", "b")
    a.run("export", folder / "import" / "segment", "--since", "b")
    b.run("capture")
    copy_folder(folder / "import", folder / "apply")
    b = Node(folder / "apply", "b")
    b.run("import", folder / "apply" / "segment")

    copy_folder(folder / "visit", folder / "done")
    a, b = Node(folder / "done", "a"), Node(folder / "done", "b")
    settle([a, b], folder / "done" / "shared")
    found = b.run("status", "--json").json()
    expect(found["conflicts"] > 0 and found["parked"] > 0 and found["quarantined"] > 0, found)

    copy_folder(folder / "done", folder / "resync")
    Node(folder / "resync", "b").database.write_bytes(yesterday)


def commands(folder):
    yield Command(folder / "init", "a", "init", "sqlite:{}/a.db", "--name", "a")
    yield Command(folder / "join", "c", "init", "--join", "{}/token", "--create-tables",
                  "sqlite:{}/c.db", "--name", "c")
    yield Command(folder / "first", "c", "sync", "{}/shared")
    yield Command(folder / "pending", "c", "diff", reads=True)
    for prefer in ("fleet", "local"):
        yield Command(folder / "prefer", "c", "init", "--join", "{}/token", "sqlite:{}/c.db",
                      "--name", "c", "--prefer", prefer, "--from", "{}/shared")
    yield Command(folder / "visit", "b", "sync", "{}/shared")
    yield Command(folder / "visit", "b", "capture")
    yield Command(folder / "import", "b", "import", "{}/segment")
    yield Command(folder / "apply", "b", "apply")
    yield Command(folder / "done", "b", "export", "{}/exported")
    yield Command(folder / "done", "b", "token", "{}/token")
    for prefer in ("log", "database"):
        yield Command(folder / "resync", "b", "resync", "--prefer", prefer)
    for words in (["status"], ["log"], ["history", "item", "1"],
                  ["blame", "item", "1"], ["conflicts"], ["quarantine"],
                  ["peers"], ["diff"], ["verify"]):
        yield Command(folder / "done", "b", *words, reads=True)
        yield Command(folder / "done", "b", *words, "--json", reads=True)


def main():
    print(f"seed {SEED}", flush=True)
    wanted = sys.argv[1:]
    failures = []
    workers = len(os.sched_getaffinity(0))
    with temporary_folder() as path, \
            concurrent.futures.ThreadPoolExecutor(workers) as pool:
        folder = pathlib.Path(path)
        scratch = folder / "try"
        scratch.mkdir()
        make_all(folder)
        for command in commands(folder):
            if not wanted or command.name in wanted:
                failures += try_command(command, scratch, pool, SEED)
    sys.exit(1 if failures else 0)


main()
