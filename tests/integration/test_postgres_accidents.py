"""Accidents of capture from Postgres: killed anywhere, cut off, its server crashed, the slot
lost or read by others. Every committed transaction is one entry, in the order of commits, and
what was lost to the slot is never skipped over in silence."""

import os
import pathlib
import random
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from postgres import Cluster, Failure as ServerFailure  # noqa: E402
from postgres_node import PostgresNode  # noqa: E402
from rowferry import (BINARY, LONG, TOOLS, expect, expect_equal, fault_environment,  # noqa: E402
                      main, run)

CLUSTER = None
SEED = int(os.environ.get("ROWFERRY_SEED") or random.SystemRandom().randrange(1 << 32))
KILLS = 200 if LONG else 12


def make_shop(folder):
    shop = PostgresNode(folder, folder.name.replace("-", "_"), CLUSTER)
    shop.script("""
        CREATE TABLE item (id integer PRIMARY KEY, n integer, body text);
        INSERT INTO item SELECT i, 0, repeat('x', i % 50) FROM generate_series(1, 50) i;""")
    shop.init()
    return shop


class Writer:
    """One session that numbers its transactions, and knows which rows each wrote."""

    def __init__(self, shop, generator):
        self.shop, self.generator, self.done = shop, generator, []
        self.connection = shop.connect()

    def write(self, count):
        for _ in range(count):
            n = len(self.done) + 1
            ids = sorted(self.generator.sample(range(1, 60), self.generator.randint(1, 5)))
            values = ", ".join(f"({i}, {n}, 'body')" for i in ids)
            self.connection.run(f"BEGIN; INSERT INTO item VALUES {values} ON CONFLICT (id)"
                                f" DO UPDATE SET n = {n}; COMMIT")
            self.done.append(ids)

    def expect_logged(self, what):
        entries = [entry for entry in self.shop.log()
                   if entry["kind"] == "changes" and entry["origin_seq"] > 3]
        found = [sorted(change["key"]["id"] for change in entry["changes"])
                 for entry in entries]
        expect_equal(found, self.done, f"{what}: rows of each entry")
        expect_equal([{change["row"]["n"] for change in entry["changes"]} for entry in entries],
                     [{n + 1} for n in range(len(self.done))], f"{what}: what they set")
        self.shop.run("verify")


def killed_anywhere(folder):
    """At each of a number of writing calls, picked by the seed."""
    generator = random.Random(SEED)
    shop = make_shop(folder)
    writer = Writer(shop, generator)
    killed = 0
    for _ in range(KILLS):
        writer.write(generator.randint(1, 8))
        run = shop.run("capture", code=None,
                       environment=fault_environment(kill=generator.randint(1, 40)))
        killed += run.code == -9
        expect(run.code in (0, -9), str(run))
    expect(killed > 0, "none was killed")
    shop.run("capture")
    writer.expect_logged(f"after {killed} kills")


def cut_off(folder):
    """The server ends the connection, or crashes, while capture reads."""
    generator = random.Random(SEED)
    shop = make_shop(folder)
    writer = Writer(shop, generator)
    writer.write(300)
    with CLUSTER.connect() as admin:
        for _ in range(5):
            capture = subprocess.Popen([BINARY, "--store", shop.store, "capture"],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.PIPE)
            while capture.poll() is None and admin.run(
                    "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots"
                    " WHERE active_pid IS NOT NULL AND active_pid > 0") == []:
                pass
            errors = capture.communicate()[1].decode()
            expect(capture.returncode in (0, 3) and errors.count("\n") <= 1,
                   f"exit {capture.returncode}: {errors}")
            writer.write(20)
    capture = subprocess.Popen([BINARY, "--store", shop.store, "capture"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE)
    CLUSTER.stop("immediate")
    errors = capture.communicate()[1].decode()
    expect(capture.returncode in (0, 3) and errors.count("\n") <= 1,
           f"exit {capture.returncode}: {errors}")
    shop.refuse(3, "capture", "capture")
    CLUSTER.start()
    writer.connection = shop.connect()
    writer.write(20)
    shop.run("capture")
    writer.expect_logged("after the server's crash")


def slot_of(shop):
    with shop.connect() as connection:
        return connection.value("SELECT slot_name FROM pg_replication_slots WHERE database ="
                                " current_database()")


def read_by_others(folder):
    """A slot that was moved on stands for transactions that nobody will tell."""
    shop = make_shop(folder)
    shop.write("UPDATE item SET n = 1 WHERE id = 1")
    with shop.connect() as connection:
        connection.run(f"SELECT pg_replication_slot_advance('{slot_of(shop)}',"
                       " pg_current_wal_insert_lsn())")
    before = shop.last_seq()
    shop.refuse(1, "read by somebody else", "capture")
    shop.refuse(1, "resync --prefer database", "capture")
    expect_equal(shop.last_seq(), before, "entries")


def idle_beside_a_busy_one(folder):
    """What others on the server write does not keep the slot behind; tables may be empty."""
    shop = PostgresNode(folder, folder.name.replace("-", "_"), CLUSTER)
    shop.script("CREATE TABLE item (id integer PRIMARY KEY, n integer, body text)")
    shop.init()
    behind = ("SELECT pg_current_wal_insert_lsn() - confirmed_flush_lsn FROM"
              f" pg_replication_slots WHERE slot_name = '{slot_of(shop)}'")
    entries = shop.last_seq()
    with CLUSTER.connect() as other:
        other.run("CREATE TABLE busy AS SELECT repeat('x', 1000) FROM generate_series(1, 40000)")
        other.run("DROP TABLE busy")
    expect(int(shop.rows(behind)[0][0]) > 32 << 20, "the other database wrote much")
    shop.run("capture")
    expect(int(shop.rows(behind)[0][0]) < 17 << 20, "the slot followed")
    expect_equal(shop.last_seq(), entries, "entries")
    shop.write("INSERT INTO item VALUES (1, 1, 'first')")
    shop.run("capture")
    expect_equal(shop.last_seq(), entries + 1, "entries")


def beside_what_is_not_on_disk(folder):
    """Nobody flushes what a transaction that is still open has written: capture does not wait
    for the server to think of it, and has what was committed before."""
    with Cluster(wal_writer_delay="10s") as cluster:
        shop = PostgresNode(folder, "shop", cluster)
        shop.script("CREATE TABLE item (id integer PRIMARY KEY, n integer, body text)")
        shop.init()
        with shop.connect() as connection, shop.connect() as lazy:
            lazy.run("SET synchronous_commit = off")
            connection.run("BEGIN")
            begun = time.monotonic()
            for i in range(3):
                lazy.run(f"INSERT INTO item VALUES ({i}, 0, 'committed')")
                connection.run(f"INSERT INTO item VALUES ({10 + i}, 0, 'open')")
                shop.run("capture")
                entry = shop.log()[-1]
                expect_equal([change["key"]["id"] for change in entry["changes"]], [i], "rows")
            taken = time.monotonic() - begun
    expect(taken < 5, f"three captures take {taken:.1f} s")


def slot_is_gone(folder):
    shop = make_shop(folder)
    with shop.connect() as connection:
        connection.run(f"SELECT pg_drop_replication_slot('{slot_of(shop)}')")
    shop.refuse(1, "is gone", "capture")


def in_use(folder):
    """Another node of the same database: refused before anything is made."""
    shop = make_shop(folder)
    slots = "SELECT slot_name FROM pg_replication_slots WHERE database = current_database()"
    before = shop.rows(slots)
    other = PostgresNode(folder / "other", shop.name, CLUSTER, make=False)
    (folder / "other").mkdir()
    other.refuse(1, "belongs to the store of node", "init", shop.url, "--name", "other")
    expect_equal(shop.rows(slots), before, "slots")
    expect(not other.store.exists(), "no store was made")
    other.run("init", shop.url, "--name", "other", "--take-over")
    expect(shop.rows(slots) != before and len(shop.rows(slots)) == 1, "one slot, the new one's")
    shop.refuse(1, "node", "capture")


def init_that_fails(folder):
    """Neither slot nor publication is left."""
    shop = PostgresNode(folder, folder.name.replace("-", "_"), CLUSTER)
    shop.script("CREATE TABLE item (id integer PRIMARY KEY); INSERT INTO item VALUES (1);"
                "CREATE ROLE reader LOGIN REPLICATION; GRANT CREATE ON DATABASE "
                f'"{shop.name}" TO reader')
    url = CLUSTER.url_of(shop.name, "reader")
    shop.refuse(3, "--print-sql", "init", url, "--name", "shop")
    expect_equal(shop.rows("SELECT count(*) FROM pg_publication"), [("0",)], "publications")
    expect_equal(shop.rows("SELECT count(*) FROM pg_replication_slots WHERE database ="
                           " current_database()"), [("0",)], "slots")
    expect(not shop.store.exists(), "no store was made")


def init_that_is_killed(folder):
    """The same again takes over what was left."""
    generator = random.Random(SEED)
    shop = PostgresNode(folder, folder.name.replace("-", "_"), CLUSTER)
    shop.script("CREATE TABLE item (id integer PRIMARY KEY, n integer);"
                "INSERT INTO item SELECT i, i FROM generate_series(1, 1000) i")
    at = 1
    while not shop.store.exists():
        run = shop.run("init", shop.url, "--name", "shop", code=None,
                       environment=fault_environment(kill=at))
        expect(run.code in (0, -9), f"killed at {at}: {run}")
        at += 1 if LONG else generator.randint(1, 5)
    expect(at > 20, f"only {at} points")
    expect_equal(shop.rows("SELECT count(*) FROM pg_replication_slots WHERE database ="
                           " current_database()"), [("1",)], "slots")
    shop.write("UPDATE item SET n = 0 WHERE id = 1")
    shop.run("capture")
    rows = [change for entry in shop.log() if entry["kind"] == "changes"
            for change in entry["changes"]]
    expect_equal(len(rows), 1001, "rows in the log")


def init_killed_between_tables(folder):
    """A shop of two tables, and init killed until one of them is copied; each gets a row after
    each kill. The shop, and how many rows a table has."""
    shop = PostgresNode(folder, folder.name.replace("-", "_"), CLUSTER)
    shop.script("CREATE TABLE a (id integer PRIMARY KEY);"
                "CREATE TABLE b (id integer PRIMARY KEY);"
                "INSERT INTO a SELECT generate_series(1, 10000);"
                "INSERT INTO b SELECT generate_series(1, 10000)")
    half_made = shop.store.with_name(shop.store.name + ".init") / "store"
    count, log, at = 10000, None, 60
    while log is None or log.code != 0 or not any(entry["base"] for entry in log.json_lines()):
        ended = shop.init(code=None, environment=fault_environment(kill=at))
        expect(ended.code == -9, f"killed at {at}: {ended}")
        count += 1
        shop.write(f"INSERT INTO a VALUES ({count}); INSERT INTO b VALUES ({count})")
        log = run("--store", half_made, "log", "--json", code=None)
        at += 6
    return shop, count


def rows_told(shop):
    """Whether it was there at the beginning, table and key of each row."""
    shop.run("capture")
    told = [(entry["base"], change["table"], change["key"]["id"])
            for entry in shop.log() if entry["kind"] == "changes" for change in entry["changes"]]
    shop.run("diff")
    return told


def init_goes_on_behind_what_was_copied(folder):
    """And has what was written to that meanwhile as the write that it is."""
    shop, count = init_killed_between_tables(folder)
    shop.init()
    told = rows_told(shop)
    expect_equal(sorted((table, key) for _, table, key in told),
                 [(table, key) for table in "ab" for key in range(1, count + 1)], "rows")
    expect((True, "a", 1) in told, "the first row of a was there at the beginning")
    expect((False, "a", count) in told, "the last row of a was written after it was copied")


def parents_are_copied_first(folder):
    """Else each row of the child waits where it arrives, one by one."""
    shop = PostgresNode(folder, folder.name.replace("-", "_"), CLUSTER)
    shop.script("CREATE TABLE a (id integer PRIMARY KEY); CREATE TABLE b (id integer PRIMARY KEY);"
                "INSERT INTO a SELECT generate_series(1, 10000); INSERT INTO b SELECT id FROM a;"
                "ALTER TABLE a ADD FOREIGN KEY (id) REFERENCES b")
    shop.init()
    told = [entry["changes"][0]["table"] for entry in shop.log() if entry["kind"] == "changes"]
    expect_equal(told, ["b", "a"], "tables, an entry each")


def init_begins_anew_without_its_slot(folder):
    shop, count = init_killed_between_tables(folder)
    shop.script("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
                " WHERE database = current_database()")
    shop.init()
    expect_equal(sorted(rows_told(shop)),
                 [(True, table, key) for table in "ab" for key in range(1, count + 1)], "rows")


def init_begins_anew_when_it_is_another(folder):
    """Other tables, or the administrator's slot: nothing stays of what was left out."""
    shop, count = init_killed_between_tables(folder)
    shop.script("SELECT pg_create_logical_replication_slot('of_the_dba_' || current_database(),"
                " 'pgoutput')")
    slot = f"of_the_dba_{shop.name}"
    shop.init("--tables", "b", "--slot", slot)
    expect_equal(sorted(rows_told(shop)),
                 [(True, "b", key) for key in range(1, count + 1)], "rows")
    expect_equal(shop.rows("SELECT slot_name FROM pg_replication_slots WHERE database ="
                           " current_database()"), [(slot,)], "slots")
    shop.script(f"SELECT pg_drop_replication_slot('{slot}')")


if __name__ == "__main__":
    print(f"seed {SEED}", flush=True)
    with Cluster() as CLUSTER:
        main([killed_anywhere, cut_off, read_by_others, idle_beside_a_busy_one,
              beside_what_is_not_on_disk, slot_is_gone, in_use, init_that_fails,
              init_that_is_killed, parents_are_copied_first,
              init_goes_on_behind_what_was_copied,
              init_begins_anew_without_its_slot, init_begins_anew_when_it_is_another])
