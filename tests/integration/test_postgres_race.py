"""Local writes that capture has not passed are never overwritten: writers hammer a few rows on
both sides while syncs run, and in the end both show the same (ROWFERRY_LONG: 30 seconds)."""

import os
import pathlib
import random
import sqlite3
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

import postgres_pairs as pairs  # noqa: E402
from postgres import Cluster  # noqa: E402
from rowferry import expect_equal, main  # noqa: E402

SECONDS = 30 if os.environ.get("ROWFERRY_LONG") else 6
ROWS = 20
SEED = int(os.environ.get("ROWFERRY_SEED", "0")) or random.randrange(1, 1 << 31)


class Hammer(threading.Thread):
    """Writes until it is told to stop; what goes wrong is raised where it is joined."""

    def __init__(self, work):
        super().__init__(daemon=True)
        self.work = work
        self.ended = threading.Event()
        self.failure = None
        self.writes = 0

    def run(self):
        try:
            while not self.ended.is_set():
                self.writes += self.work()
        except Exception as failure:  # noqa: BLE001
            self.failure = failure

    def end(self):
        self.ended.set()
        self.join()
        if self.failure is not None:
            raise self.failure
        return self.writes


def statement(chance):
    key = chance.randrange(ROWS)
    value = chance.randrange(1 << 30)
    kind = chance.random()
    if kind < 0.2:
        return f"DELETE FROM spot WHERE id = {key}"
    if kind < 0.5:
        return f"INSERT INTO spot VALUES ({key}, {value}, 'new') ON CONFLICT (id) DO NOTHING"
    return f"UPDATE spot SET n = {value} WHERE id = {key}"


def on_postgres(node, chance):
    connection = node.connect()
    connection.run("SET lock_timeout = 0")

    def work():
        if chance.random() < 0.3:
            connection.run("BEGIN")
            connection.run("SAVEPOINT one")
            connection.run(statement(chance))
            connection.run(chance.choice(["ROLLBACK TO one", "RELEASE one"]))
            if chance.random() < 0.1:
                time.sleep(0.05)
            connection.run("COMMIT")
        else:
            connection.run(statement(chance))
        time.sleep(0.001)
        return 1

    return work


def on_sqlite(node, chance):
    def work():
        connection = sqlite3.connect(node.database, timeout=60)
        try:
            for _ in range(20):
                with connection:
                    connection.execute(statement(chance))
                time.sleep(0.001)
        finally:
            connection.close()
        return 20

    return work


def hammered_rows(folder):
    print(f"seed {SEED}", file=sys.stderr)
    shop, stall = pairs.make_pair(folder, """
        CREATE TABLE spot (id integer PRIMARY KEY, n bigint, word text);""")
    shop.set_line("batch", random.Random(SEED).choice(["auto", 2]))
    hammers = [Hammer(on_postgres(shop, random.Random(SEED))),
               Hammer(on_postgres(shop, random.Random(SEED + 1))),
               Hammer(on_sqlite(stall, random.Random(SEED + 2)))]
    for hammer in hammers:
        hammer.start()
    until = time.monotonic() + SECONDS
    rounds = 0
    while time.monotonic() < until:
        pairs.carry(folder, shop, stall)
        rounds += 1
    writes = [hammer.end() for hammer in hammers]
    print(f"{writes} writes, {rounds} visits", file=sys.stderr)
    pairs.settle(folder, [shop, stall])
    pairs.expect_same(shop, stall, "spot", ["id", "n", "word"], ["integer", "bigint", "text"],
                      ["id"], f"after {writes} writes and {rounds} visits, seed {SEED}")
    expect_equal(shop.inspect()["repair"], 0, "rows to repair")


def counter(folder):
    """Read, add one, write: on Postgres without a pause, while what was written on SQLite a
    moment ago, and so is older than the newest of that, comes in again and again."""
    shop, stall = pairs.make_pair(folder, """
        CREATE TABLE counter (id integer PRIMARY KEY, n bigint);
        INSERT INTO counter VALUES (1, 0);""")
    pairs.settle(folder, [shop, stall])
    connection = shop.connect()

    def count():
        connection.run("BEGIN")
        n = int(connection.run("SELECT n FROM counter WHERE id = 1 FOR UPDATE")[0][0])
        connection.run(f"UPDATE counter SET n = {n + 1} WHERE id = 1")
        connection.run("COMMIT")
        return 1

    hammer = Hammer(count)
    hammer.start()
    until = time.monotonic() + SECONDS / 2
    while time.monotonic() < until:
        stall.write("UPDATE counter SET n = -1000000")
        pairs.carry(folder, stall, shop)
    writes = hammer.end()
    pairs.settle(folder, [shop, stall])
    expect_equal(shop.rows("SELECT n FROM counter"), [(str(writes),)], "the counter")
    expect_equal(stall.rows("SELECT n FROM counter"), [(writes,)], "the counter at the stall")


if __name__ == "__main__":
    with Cluster() as pairs.CLUSTER:
        main([hammered_rows, counter])
