#!/usr/bin/env python3
"""`run` stays: what is written on one node comes to the others without anybody's asking, other
commands work beside it, and it may be stopped or killed at any moment.

ROWFERRY_SEED: of the random part."""

import contextlib
import os
import pathlib
import random
import select
import signal
import sqlite3
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from rowferry import (BINARY, LONG, Node, Run, copy_folder, expect, expect_equal,  # noqa: E402
                      fault_environment, main, make_pair, settle, temporary_folder)

PATIENCE = 60  # seconds until a test gives up
ROUNDS = 40 if LONG else 3

ready = temporary_folder()
kept = pathlib.Path(ready.name) / "kept"


def fleet(folder, mode="DELETE"):
    """Two nodes that are even."""
    if not kept.exists():
        make_pair(kept)
    copy_folder(kept, folder / "fleet")
    nodes = [Node(folder / "fleet", name) for name in "ab"]
    for node in nodes:
        node.script(f"PRAGMA journal_mode = {mode}")
    return nodes


class Staying:
    """A `rowferry run` at work; what it says wakes who waits for it."""

    def __init__(self, node, *words, environment=None):
        self.words = ["run", *[str(word) for word in words]]
        self.said = b""
        self.process = subprocess.Popen(
            [BINARY, "--store", str(node.store), *self.words], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})})

    def read(self):
        part = os.read(self.process.stdout.fileno(), 1 << 16)
        expect(part, f"it ended: {self}")
        self.said += part

    def text(self):
        return self.said.decode()

    def end(self, number=signal.SIGTERM, code=0):
        self.process.send_signal(number)
        said, _ = self.process.communicate(timeout=PATIENCE)
        self.said += said
        Run(self.words, self.process.returncode, "", self.text())
        expect_equal(self.process.returncode, code, f"the end of {self}")

    def __str__(self):
        return f"rowferry {' '.join(self.words)}:\n{self.text()[-2000:]}"


@contextlib.contextmanager
def staying(node, *words, **options):
    run = Staying(node, *words, **options)
    try:
        yield run
    finally:
        if run.process.poll() is None:
            run.process.kill()
            run.process.wait()
        run.process.stdout.close()


def wait_until(holds, what, *runs):
    """Look whenever one of the runs has said something, and now and then for what none of
    them says."""
    until = time.monotonic() + PATIENCE
    while not holds():
        expect(time.monotonic() < until,
               f"{what}: it never came\n" + "\n".join(str(run) for run in runs))
        found, _, _ = select.select([run.process.stdout for run in runs], [], [], 0.05)
        for run in runs:
            if run.process.stdout in found:
                run.read()


def names(node):
    try:
        return {row[0]: row[1] for row in node.rows("SELECT id, name FROM item")}
    except sqlite3.OperationalError:  # locked for a moment
        return {}


def what_is_written_comes_by_itself(folder):
    for mode in ("DELETE", "WAL"):
        a, b = fleet(folder / mode, mode)
        shared = a.folder / "shared"
        # The interval is out of reach: files' own news has to do.
        with staying(a, "--sync", shared, "--interval", 3600) as one, \
                staying(b, "--sync", shared, "--interval", 3600) as two:
            for i in range(2):
                a.write(f"INSERT INTO item VALUES ({100 + i}, 'a{i}', 0)")
                wait_until(lambda: 100 + i in names(b), "a's row on b", one, two)
                b.write(f"INSERT INTO item VALUES ({200 + i}, 'b{i}', 0)")
                wait_until(lambda: 200 + i in names(a), "b's row on a", one, two)
            one.end(signal.SIGTERM)
            two.end(signal.SIGINT)
            expect(f"{shared}: sent 1 entry" in one.text(), str(one))
        a.check()
        b.check()


def what_nobody_tells_of_comes_at_the_interval(folder):
    """A target that was away when it began is not watched before it looks again."""
    a, b = fleet(folder)
    shared, away = a.folder / "shared", folder / "away"
    shared.rename(away)
    with staying(a, "--sync", shared, "--interval", 1) as one:
        wait_until(lambda: "No such file" in one.text(), "that it is away", one)
        a.write("INSERT INTO item VALUES (100, 'a', 0)")
        wait_until(lambda: "captured 1 change" in one.text(), "the capture", one)
        away.rename(shared)
        wait_until(lambda: "works again" in one.text(), "that it is back", one)
        b.sync(shared)
        one.end()
        expect_equal(one.text().count("No such file"), 1, "lines of its being away")
        expect_equal(one.text().count("works again"), 1, "lines of its being back")
    expect(100 in names(b), "the row")


def sync_beside_it_exchanges_what_was_written_before(folder):
    a, b = fleet(folder)
    shared, other = a.folder / "shared", folder / "other"
    other.mkdir()
    with staying(a, "--sync", shared) as one:
        for i in range(4):
            a.write(f"INSERT INTO item VALUES ({100 + i}, 'a{i}', 0)")
            a.sync(other)
            b.sync(other)
            expect(100 + i in names(b), f"row {100 + i}")
        for words in (["capture"], ["apply"], ["status"], ["diff"],
                      ["export", folder / "segment"], ["import", folder / "segment"]):
            a.run(*words)
        a.refuse(1, f"process {one.process.pid} runs its rounds", "run", "--sync", shared)
        one.end()
    a.check()


def a_quiet_node_leaves_everything_alone(folder):
    a, _ = fleet(folder)
    shared, trace = a.folder / "shared", folder / "trace"
    lock = a.store / "capture.lock"

    def visits(count):
        """Each visit writes its pid into the locks."""
        for _ in range(count):
            before = lock.stat().st_mtime_ns
            wait_until(lambda: lock.stat().st_mtime_ns != before, "a visit", run)

    with staying(a, "--sync", shared, "--interval", 1,
                 environment=fault_environment(trace=trace)) as run:
        visits(2)
        lines = len(trace.read_text().splitlines())
        before = a.inspect()
        visits(2)
        for line in trace.read_text().splitlines()[lines:]:
            number, call, path = line.split(" ", 2)
            # A target is looked at under the locks, whose files have a pid in them.
            expect(number == "-" or call == "open" or path.endswith((".lock", "lock.mdb")),
                   f"a quiet node: {line}")
        expect_equal(a.inspect(), before, "the store")
        run.end()
        expect_equal(run.text(), "", "what it said")


def ends_when_a_person_must_act(folder):
    a, b = fleet(folder)
    with staying(a, "--interval", 1) as run:
        wait_until(lambda: (a.store / "rounds.lock").exists(), "the beginning", run)
        a.write("INSERT INTO item VALUES (100, 'a', 0)")
        old = b.database.read_bytes()
        a.run("capture")
        a.database.with_name("copy").write_bytes(old)  # b's: another store's
        a.database.with_name("copy").rename(a.database)
        run.process.wait(PATIENCE)
        run.read()
        expect_equal(run.process.returncode, 1, str(run))
        expect("belongs to the store of node" in run.text(), str(run))


class Writer(threading.Thread):
    """An application: inserts rows of its own, and changes those that all know."""

    def __init__(self, node, first, seed):
        super().__init__()
        self.node, self.next, self.random = node, first, random.Random(seed)
        self.written, self.over, self.failure = [], threading.Event(), None

    def run(self):
        connection = sqlite3.connect(self.node.database, timeout=PATIENCE,
                                     isolation_level=None)
        try:
            while not self.over.wait(self.random.uniform(0, 0.05)):
                connection.execute("BEGIN IMMEDIATE")
                for _ in range(self.random.randint(1, 3)):
                    connection.execute("INSERT INTO item VALUES (?, ?, 0)",
                                       (self.next, f"row {self.next}"))
                    self.next += 1
                connection.execute("UPDATE item SET n = ? WHERE id = ?",
                                   (self.next, self.random.randint(1, 3)))
                connection.execute("COMMIT")
                self.written.append(self.next - 1)
        except Exception as failure:  # told by the test
            self.failure = failure
        finally:
            connection.close()


def stopped_and_killed_at_any_moment(folder):
    seed = int(os.environ.get("ROWFERRY_SEED", random.randrange(1 << 32)))
    print(f"seed {seed}", flush=True)
    dice = random.Random(seed)
    nodes = fleet(folder, dice.choice(["DELETE", "WAL"]))
    shared = nodes[0].folder / "shared"
    writers = [Writer(node, 1000000 * (i + 1), dice.random()) for i, node in enumerate(nodes)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(ROUNDS):
            with staying(nodes[0], "--sync", shared, "--interval", 1) as one, \
                    staying(nodes[1], "--sync", shared, "--interval", 1) as two:
                for run in (one, two):
                    for _ in range(dice.randrange(4)):
                        wait_until(lambda said=len(run.said): len(run.said) > said,
                                   "any news", one, two)
                if dice.random() < 0.7:
                    dice.choice(nodes).sync(shared)
                if dice.random() < 0.3:
                    dice.choice(nodes).run("capture")
                for run in dice.sample([one, two], 2):
                    if dice.random() < 0.5:
                        run.end()
                    else:
                        run.end(signal.SIGKILL, -signal.SIGKILL)
    finally:
        for writer in writers:
            writer.over.set()
            writer.join()
    for writer in writers:
        expect(writer.failure is None, f"{writer.node.name}: {writer.failure}")
    with staying(nodes[0], "--sync", shared) as one, staying(nodes[1], "--sync", shared) as two:
        wait_until(lambda: names(nodes[0]) == names(nodes[1]) != {} and
                   all(set(writer.written) <= set(names(nodes[0])) for writer in writers),
                   "the same rows", one, two)
        one.end()
        two.end()
    settle(nodes, shared)
    for node in nodes:
        node.check()
    expect_equal(nodes[0].rows("SELECT * FROM item"), nodes[1].rows("SELECT * FROM item"), "item")


try:
    main([what_is_written_comes_by_itself, what_nobody_tells_of_comes_at_the_interval,
          sync_beside_it_exchanges_what_was_written_before, a_quiet_node_leaves_everything_alone,
          ends_when_a_person_must_act, stopped_and_killed_at_any_moment])
finally:
    ready.cleanup()
