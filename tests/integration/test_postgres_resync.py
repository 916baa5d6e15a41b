"""resync of a node on Postgres: the slot is lost, was moved on, or belongs to another database;
the server was restored, or promoted. Everything but resync refuses; afterwards what the database
held is told to all, and nothing was lost."""

import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

import postgres_pairs as pairs  # noqa: E402
from postgres import Cluster  # noqa: E402
from rowferry import LONG, expect, expect_equal, fault_environment, main  # noqa: E402

SCHEMA = """
CREATE TABLE item (id integer PRIMARY KEY, name text UNIQUE, n integer);
INSERT INTO item SELECT i, 'item ' || i, i FROM generate_series(1, 20) i;
"""
RESYNC = ("resync", "--prefer", "database")
TO_LOG = ("resync", "--prefer", "log")
FAMILY = """
CREATE TABLE parent (id integer PRIMARY KEY, code text UNIQUE);
CREATE TABLE child (id integer PRIMARY KEY, parent integer REFERENCES parent, note text);
INSERT INTO parent VALUES (1, 'a'), (2, 'b'), (3, 'c');
INSERT INTO child VALUES (1, 1, 'x'), (2, 2, 'y'), (3, 3, 'z');
CREATE TABLE own (id integer PRIMARY KEY, n integer);
INSERT INTO own SELECT i, i FROM generate_series(1, 4) i;
"""
CLUSTER = None


def make_pair(folder, cluster, more=""):
    pairs.CLUSTER = cluster
    return pairs.make_pair(folder, SCHEMA + more)


def slot_of(shop):
    return shop.rows("SELECT slot_name FROM pg_replication_slots WHERE slot_name ~ '^rowferry_"
                     f"{shop.run('status', '--json').json()['node']}'")[0][0]


def expect_refused(shop, saying, folder):
    before = shop.last_seq()
    for words in (["capture"], ["sync", folder / "shared"], ["apply"]):
        # apply looks at the database only when there is something to apply.
        if words == ["apply"] and shop.run("apply", code=None).code == 0:
            continue
        shop.refuse(1, saying, *words)
        shop.refuse(1, "rowferry resync --prefer database", *words)
    expect_equal(shop.last_seq(), before, "entries")


def expect_right(folder, shop, stall, what):
    shop.run(*RESYNC)
    pairs.settle(folder, [shop, stall])
    pairs.expect_same(shop, stall, "item", ["id", "name", "n"], ["integer", "text", "integer"],
                      ["id"], what)
    shop.run("diff")
    expect_equal(shop.run(*RESYNC, "--json").json()["captured"]["changes"], 0,
                 "differences that are left")
    expect_equal(len(shop.rows("SELECT 1 FROM pg_replication_slots WHERE database ="
                               " current_database()")), 1, "slots")


def both_write(shop, stall):
    shop.write(["UPDATE item SET n = -1 WHERE id = 1", "DELETE FROM item WHERE id = 2",
                "INSERT INTO item VALUES (101, 'shop', 1)"])
    stall.write(["UPDATE item SET n = -3 WHERE id = 3", "DELETE FROM item WHERE id = 4",
                 "INSERT INTO item VALUES (102, 'stall', 2)"])


def expect_both(shop):
    expect_equal(shop.rows("SELECT id, n FROM item WHERE id IN (1, 2, 3, 4, 101, 102) ORDER BY id"),
                 [("1", "-1"), ("3", "-3"), ("101", "1"), ("102", "2")], "rows")


def slot_is_gone(folder):
    """One of the tables came later; what it is called by is known again."""
    shop, stall = make_pair(folder, CLUSTER)
    shop.write("CREATE TABLE later (id integer PRIMARY KEY)")
    shop.run("capture")
    shop.write("INSERT INTO later VALUES (1)")
    both_write(shop, stall)
    stall.sync(folder / "shared")
    shop.write(f"SELECT pg_drop_replication_slot('{slot_of(shop)}')")
    expect_refused(shop, "is gone", folder)
    expect_right(folder, shop, stall, "after the slot was dropped")
    expect_both(shop)
    shop.write("INSERT INTO later VALUES (2)")
    shop.run("capture")
    shop.run("history", "later", "1")
    shop.run("history", "later", "2")


def read_by_others(folder):
    shop, stall = make_pair(folder, CLUSTER)
    both_write(shop, stall)
    shop.rows(f"SELECT pg_replication_slot_advance('{slot_of(shop)}',"
              " pg_current_wal_insert_lsn())")
    expect_refused(shop, "read by somebody else", folder)
    expect_right(folder, shop, stall, "after the slot was moved on")
    expect_both(shop)


def copied_database(folder):
    """Yesterday's copy takes the database's place; the slot stays with what it was made of."""
    shop, stall = make_pair(folder, CLUSTER)
    with CLUSTER.connect("postgres") as admin:
        admin.run(f"CREATE DATABASE {shop.name}_copy TEMPLATE {shop.name}")
        both_write(shop, stall)
        pairs.settle(folder, [shop, stall])
        admin.run(f"ALTER DATABASE {shop.name} RENAME TO {shop.name}_before")
        admin.run(f"ALTER DATABASE {shop.name}_copy RENAME TO {shop.name}")
        shop.write("INSERT INTO item VALUES (103, 'into the copy', 3)")
        expect_refused(shop, "is of another database", folder)
        expect_right(folder, shop, stall, "after a copy took the database's place")
        expect_equal(shop.rows("SELECT id, n FROM item WHERE id IN (1, 2, 3, 4, 101, 102, 103)"
                               " ORDER BY id"),
                     [("1", "1"), ("2", "2"), ("3", "3"), ("4", "4"), ("103", "3")], "rows")
        expect_equal(shop.rows("SELECT database FROM pg_replication_slots WHERE slot_name ="
                               f" '{slot_of(shop)}'"), [(shop.name,)], "whose the slot is")


def written_from_the_log(folder):
    """Yesterday's copy becomes today's database: nothing is logged, what only the copy has goes,
    what is parked stays so, and a column that only this database has keeps its values."""
    def rows(sql="SELECT * FROM {} ORDER BY 1"):
        return [shop.rows(sql.format(table)) for table in ("item", "parent", "child", "own")]

    shop, stall = make_pair(folder, CLUSTER, FAMILY)
    shop.write("ALTER TABLE own ADD COLUMN tag uuid NOT NULL DEFAULT gen_random_uuid()")
    with CLUSTER.connect("postgres") as admin:
        admin.run(f"CREATE DATABASE {shop.name}_copy TEMPLATE {shop.name}")
        both_write(shop, stall)
        stall.write(["INSERT INTO parent VALUES (4, 'd')", "INSERT INTO child VALUES (4, 4, 'new')",
                     "UPDATE parent SET code = 'swap' WHERE id = 1",
                     "UPDATE parent SET code = 'a' WHERE id = 2", "UPDATE own SET n = -1 WHERE id = 1",
                     "DELETE FROM own WHERE id = 2", "INSERT INTO item VALUES (201, 'taken', 1)"])
        shop.write(["INSERT INTO item VALUES (202, 'taken', 2)", "DELETE FROM child WHERE id = 3",
                    "DELETE FROM parent WHERE id = 3"])
        pairs.settle(folder, [shop, stall])
        expect_equal(shop.run("status", "--json").json()["parked"], 1, "rows that are parked")
        before = rows()
        admin.run(f"ALTER DATABASE {shop.name} RENAME TO {shop.name}_before")
        admin.run(f"ALTER DATABASE {shop.name}_copy RENAME TO {shop.name}")
    shop.write(["INSERT INTO item VALUES (103, 'into the copy', 3)", "DELETE FROM item WHERE id = 7",
                "INSERT INTO parent VALUES (9, 'd')", "INSERT INTO child VALUES (9, 9, 'strange')",
                "UPDATE child SET parent = 9 WHERE id = 2", "UPDATE item SET n = 77 WHERE id = 3",
                "UPDATE own SET n = 0"])
    expect_refused(shop, "is of another database", folder)
    at, last = 20, shop.last_seq()
    while shop.run(*TO_LOG, code=None, environment=fault_environment(kill=at)).code == -9:
        at += 1 if LONG else 23
    shop.run(*TO_LOG)
    expect_equal(rows(), before, "rows")
    expect_equal(shop.last_seq(), last, "entries")
    said = shop.run("resync", "--json").json()
    expect_equal((said["applied"]["rows"], said["applied"]["removed"], said["captured"]["changes"]),
                 (0, 0, 0), "done again")
    shop.run("verify")
    shop.run("diff")
    shop.write("UPDATE item SET name = 'free' WHERE name = 'taken'")
    pairs.settle(folder, [shop, stall])
    expect_equal(shop.rows("SELECT id FROM item WHERE id > 200 ORDER BY 1"), [("201",), ("202",)],
                 "released")
    expect_right(folder, shop, stall, "after the log was written into the copy")


def rewriting_waits_for_nobody_for_ever(folder):
    """Who holds a table makes resync say so, and nothing has changed: capture goes on."""
    shop, _ = make_pair(folder, CLUSTER)
    with CLUSTER.connect(shop.name) as other:
        other.run("BEGIN")
        other.run("UPDATE item SET n = 0 WHERE id = 20")
        shop.refuse(3, "resync needs all tables to itself", *TO_LOG)
        other.run("COMMIT")
    expect_equal(shop.run("capture", "--json").json()["changes"], 1, "captured")


def restored_cluster(folder):
    """Its files are those of yesterday, the slot among them; and what was killed on the way
    stays refused, also when the server's log has grown beyond where it was."""
    with Cluster() as cluster:
        shop, stall = make_pair(folder, cluster)
        cluster.stop()
        kept = cluster.folder / "kept"
        subprocess.run(["cp", "-a", cluster.data, kept], check=True)
        cluster.start()
        both_write(shop, stall)
        shop.script("CREATE TABLE filler AS SELECT i FROM generate_series(1, 10000) i")
        pairs.settle(folder, [shop, stall])
        cluster.stop()
        shutil.rmtree(cluster.data)
        kept.rename(cluster.data)
        cluster.start()
        shop.write("INSERT INTO item VALUES (103, 'after the copy', 3)")
        expect_refused(shop, "restored from a copy", folder)
        at, codes = 8, []
        while shop.run(*RESYNC, code=None, environment=fault_environment(kill=at)).code == -9:
            at += 1 if LONG else 17
            codes.append(shop.run("capture", code=None).code)
        # What is killed after the rows were logged has ended for capture.
        expect(codes.count(1) > 1 and set(codes) <= {0, 1}, f"capture after kills: {codes}")
        expect_right(folder, shop, stall, "after the cluster was restored")
        expect_equal(shop.rows("SELECT id, n FROM item WHERE id IN (1, 2, 101, 102, 103)"
                               " ORDER BY id"), [("1", "1"), ("2", "2"), ("103", "3")], "rows")


def promoted_server(folder):
    """Another timeline, though the slot came along."""
    with Cluster() as cluster:
        shop, stall = make_pair(folder, cluster)
        both_write(shop, stall)
        cluster.stop()
        (cluster.data / "recovery.signal").touch()
        if cluster.user is not None:
            os.chown(cluster.data / "recovery.signal", cluster.user.pw_uid, cluster.user.pw_gid)
        with open(cluster.data / "postgresql.conf", "a", encoding="utf-8") as file:
            file.write("restore_command = 'false'\n")
        cluster.start()
        expect_refused(shop, "timeline 2, not 1", folder)
        expect_right(folder, shop, stall, "after the server was promoted")
        expect_both(shop)


def batch_nobody_tells_of(folder):
    """Killed around a batch that takes a row away for another, and the slot lost: the row is
    parked, not deleted."""
    shop, stall = make_pair(folder, CLUSTER)
    unsure = 0
    for i, at in enumerate(range(2, 60) if LONG else (14, 22, 30, 34)):
        stall.write(f"INSERT INTO item VALUES ({1000 + i}, 'name {i}', 1)")
        shop.write(f"INSERT INTO item VALUES ({2000 + i}, 'name {i}', 2)")
        shop.run("capture")
        stall.sync(folder / "shared")
        killed = shop.run("sync", folder / "shared", code=None,
                          environment=fault_environment(kill=at)).code == -9
        shop.write(f"SELECT pg_drop_replication_slot('{slot_of(shop)}')")
        shop.run(*RESYNC)
        unsure += killed
        pairs.settle(folder, [shop, stall])
        stall.write(f"UPDATE item SET name = 'free {i}' WHERE name = 'name {i}'")
        shop.run("verify")
        pairs.settle(folder, [shop, stall])
        expect_equal(shop.rows(f"SELECT id FROM item WHERE id IN ({1000 + i}, {2000 + i})"
                               " ORDER BY id"), [(str(1000 + i),), (str(2000 + i),)],
                     f"killed at {at}: both rows, in the end")
    expect(unsure > 2, f"only {unsure} kills")
    expect_right(folder, shop, stall, "in the end")


if __name__ == "__main__":
    with Cluster() as CLUSTER:
        main([slot_is_gone, read_by_others, copied_database, written_from_the_log,
              rewriting_waits_for_nobody_for_ever, restored_cluster, promoted_server,
              batch_nobody_tells_of])
