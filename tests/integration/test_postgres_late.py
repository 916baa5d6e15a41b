"""Tables of Postgres that take part later than the node itself: made after init, with rows and
with writers at work, dropped, made anew; capture killed anywhere. Nothing of them is missed and
nothing is logged twice."""

import os
import pathlib
import random
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from postgres import Cluster  # noqa: E402
import postgres_pairs as pairs  # noqa: E402
from postgres_pairs import carry, make_pair  # noqa: E402
from rowferry import LONG, expect, expect_equal, fault_environment, main  # noqa: E402

SEED = int(os.environ.get("ROWFERRY_SEED") or random.SystemRandom().randrange(1 << 32))
KILLS = 100 if LONG else 10
ROUNDS = 20 if LONG else 2

ITEM = "CREATE TABLE item (id integer PRIMARY KEY, n integer);"
FRESH = """CREATE TABLE fresh (id integer PRIMARY KEY, n integer, body text);
           ALTER TABLE fresh ALTER body SET STORAGE EXTERNAL;"""
FRESH_THERE = "CREATE TABLE fresh (id INTEGER PRIMARY KEY, n INTEGER, body TEXT)"
BODY = "repeat('long', 700)"


def expect_same(folder, shop, stall, what, table="fresh", columns=("id", "n", "body"),
                kinds=("integer", "integer", "text")):
    carry(folder, shop, stall)
    pairs.expect_same(shop, stall, table, list(columns), list(kinds), ["id"], what)
    shop.run("diff")


def changes_of(shop, table):
    return [(change["op"], change["key"]["id"], change.get("row", {}).get("n"))
            for entry in shop.log() for change in entry.get("changes", [])
            if change["table"] == table]


def with_rows(folder):
    """Its rows are one entry, what comes after them is told by the stream: also values that an
    update leaves out."""
    shop, stall = make_pair(folder, ITEM)
    shop.script(FRESH + f"INSERT INTO fresh SELECT i, 0, {BODY} FROM generate_series(1, 3) i;"
                "CREATE TABLE keyless (n integer)")
    stall.write(FRESH_THERE)
    expect_equal(shop.run("capture").errors, "", "nothing is to be said")
    shop.write(["UPDATE fresh SET n = 1 WHERE id = 1", "DELETE FROM fresh WHERE id = 2",
                "INSERT INTO item VALUES (1, 1)"])
    expect_same(folder, shop, stall, "after the first copy")
    expect_equal(changes_of(shop, "fresh"),
                 [("insert", 1, 0), ("insert", 2, 0), ("insert", 3, 0), ("update", 1, 1),
                  ("delete", 2, None)], "each row once")
    stall.write("UPDATE fresh SET n = 7 WHERE id = 3")
    carry(folder, stall, shop)
    expect_equal(shop.rows("SELECT n FROM fresh WHERE id = 3"), [("7",)], "it takes, too")
    shop.script("CREATE TABLE other (id integer PRIMARY KEY, n integer) PARTITION BY RANGE (id);"
                "CREATE TABLE other_1 PARTITION OF other FOR VALUES FROM (0) TO (10);"
                'CREATE SCHEMA "Of, it"; CREATE TABLE "Of, it"."One" (id integer PRIMARY KEY);'
                'INSERT INTO other VALUES (1, 1); INSERT INTO "Of, it"."One" VALUES (5)')
    shop.run("capture")
    shop.write("INSERT INTO other_1 VALUES (2, 2)")
    shop.run("capture")
    expect_equal(changes_of(shop, "other"), [("insert", 1, 1), ("insert", 2, 2)], "partitions")
    expect_equal(len(changes_of(shop, "Of, it.One")), 1, "a name to be quoted")


def dropped(folder):
    shop, stall = make_pair(folder, ITEM + FRESH + "INSERT INTO fresh VALUES (1, 1, 'a');")
    shop.write("INSERT INTO fresh VALUES (2, 2, 'b'), (3, 3, 'c')")
    shop.script("DROP TABLE fresh")
    said = shop.run("capture").errors
    expect("public.fresh: is not in the database any more" in said, said)
    expect_equal(shop.run("capture").errors, "", "it is said once")
    carry(folder, shop, stall)
    expect_equal(stall.rows("SELECT count(*) FROM fresh"), [(3,)], "the fleet keeps its rows")
    shop.script(FRESH + "INSERT INTO fresh VALUES (2, 2, 'b'), (4, 4, 'd')")
    expect_same(folder, shop, stall, "made anew")
    shop.script("DROP TABLE fresh;" + FRESH + "INSERT INTO fresh VALUES (5, 5, 'e')")
    expect_equal(shop.run("capture").errors, "", "no word of one that is there")
    expect_same(folder, shop, stall, "at once")
    expect_equal(changes_of(shop, "fresh")[-3:],
                 [("insert", 5, 5), ("delete", 2, None), ("delete", 4, None)], "what it has not")


def held_by_a_writer(folder):
    """Who writes it for long is waited for by a later capture; the rest goes on."""
    shop, stall = make_pair(folder, ITEM)
    shop.script(FRESH + "INSERT INTO fresh VALUES (1, 1, 'a')")
    stall.write(FRESH_THERE)
    with shop.connect() as writer:
        writer.run("BEGIN; INSERT INTO fresh VALUES (2, 2, 'b')")
        shop.write("INSERT INTO item VALUES (1, 1)")
        said = shop.run("capture").errors
        expect("public.fresh: not captured yet: somebody writes it" in said, said)
        expect_equal(len(changes_of(shop, "item")), 1, "the others go on")
        writer.run("COMMIT")
    expect_same(folder, shop, stall, "once it has ended")


def wanted_later(folder):
    """What rowferry.ini says of a table may change, to and fro."""
    shop, stall = make_pair(folder, ITEM + FRESH, "--tables", "item")
    shop.write("INSERT INTO fresh VALUES (1, 1, 'a')")
    shop.run("capture")
    stall.write(FRESH_THERE)
    expect_equal(changes_of(shop, "fresh"), [], "it was not asked for")
    shop.set_line("tables", "item, fresh")
    expect_same(folder, shop, stall, "and is now")
    shop.set_line("tables", "item")
    shop.write("UPDATE fresh SET n = 2")
    shop.run("capture")
    expect_equal(len(changes_of(shop, "fresh")), 1, "not any more")
    shop.set_line("tables", "item, fresh")
    expect_same(folder, shop, stall, "and again")


class Writers:
    """Sessions that write as fast as they can, to the old table and to new ones. A context."""

    def __init__(self, shop, tables):
        self.ended = threading.Event()
        self.failures = []
        self.threads = [threading.Thread(target=self.work, args=(shop, tables, SEED + i))
                        for i in range(3)]

    def work(self, shop, tables, seed):
        generator = random.Random(seed)
        try:
            with shop.connect() as connection:
                while not self.ended.is_set():
                    table, key = generator.choice(tables), generator.randint(1, 30)
                    n = generator.randrange(1 << 30)
                    body = BODY if generator.random() < 0.1 else "'short'"
                    statement = generator.choice([
                        f"INSERT INTO {table} VALUES ({key}, {n}, {body})"
                        f" ON CONFLICT (id) DO UPDATE SET n = {n}",
                        f"UPDATE {table} SET n = {n} WHERE id = {key}",
                        f"DELETE FROM {table} WHERE id = {key}"])
                    connection.run(f"BEGIN; UPDATE item SET n = {n} WHERE id = {seed - SEED};"
                                   f"{statement}; COMMIT")
                    time.sleep(0.002)
        except Exception as failure:  # noqa: BLE001
            self.failures.append(failure)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join()
        expect_equal(self.failures, [], "writers")


def make_busy_pair(folder):
    shop, stall = make_pair(
        folder, ITEM + "INSERT INTO item SELECT i, 0 FROM generate_series(0, 2) i;")
    tables = [f"fresh_{i}" for i in range(ROUNDS)]
    for table in tables:
        shop.script(FRESH.replace("fresh", table))
        stall.write(FRESH_THERE.replace("fresh", table))
    return shop, stall, tables


def expect_all_same(folder, shop, stall, tables):
    for table in tables:
        expect_same(folder, shop, stall, table, table)
    expect_same(folder, shop, stall, "item", "item", ("id", "n"), ("integer", "integer"))


def while_others_write(folder):
    shop, stall, tables = make_busy_pair(folder)
    with Writers(shop, tables):
        for _ in range(4):
            shop.run("capture")
            shop.write([f"INSERT INTO {table} VALUES (99, 0, '') ON CONFLICT (id) DO UPDATE"
                        f" SET n = {table}.n + 1" for table in tables])
    expect_all_same(folder, shop, stall, tables)


def killed_anywhere(folder):
    generator = random.Random(SEED)
    shop, stall, tables = make_busy_pair(folder)
    killed = 0
    with Writers(shop, tables):
        for i in range(KILLS):
            run = shop.run("capture", code=None,
                           environment=fault_environment(kill=generator.randint(1, 8 + 4 * i)))
            killed += run.code == -9
            expect(run.code in (0, -9), str(run))
    expect(killed > 0, "none was killed")
    expect_all_same(folder, shop, stall, tables)


if __name__ == "__main__":
    print(f"seed {SEED}")
    with Cluster() as pairs.CLUSTER:
        main([with_rows, dropped, held_by_a_writer, wanted_later, while_others_write,
              killed_anywhere])
