"""What somebody holds in Postgres, a row or a table, waits for him; all else goes on."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

import postgres_pairs as pairs  # noqa: E402
from postgres import Cluster  # noqa: E402
from rowferry import expect, expect_equal, main  # noqa: E402

SCHEMA = """
    CREATE TABLE item (id integer PRIMARY KEY, name text UNIQUE, n integer);
    CREATE TABLE other (id integer PRIMARY KEY, name text UNIQUE, n integer);
    CREATE TABLE parent (id integer PRIMARY KEY, n integer);
    CREATE TABLE child (id integer PRIMARY KEY, parent integer REFERENCES parent);
    INSERT INTO item SELECT i, 'item ' || i, 0 FROM generate_series(1, 50) i;
    INSERT INTO other SELECT i, 'other ' || i, 0 FROM generate_series(1, 5) i;
    INSERT INTO parent VALUES (1, 0), (2, 0);"""


def make(folder):
    shop, stall = pairs.make_pair(folder, SCHEMA)
    pairs.settle(folder, [shop, stall])
    return shop, stall


def rows(shop, sql):
    return [tuple(int(value) for value in row) for row in shop.rows(sql)]


def same(folder, shop, stall):
    pairs.settle(folder, [shop, stall])
    for table, columns in (("item", ["id", "name", "n"]), ("other", ["id", "name", "n"]),
                           ("parent", ["id", "n"]), ("child", ["id", "parent"])):
        pairs.expect_same(shop, stall, table, columns, ["integer", "text", "integer"], ["id"],
                          table)
    expect_equal(shop.run("status", "--json").json()["parked"],
                 stall.run("status", "--json").json()["parked"], "parked rows")
    shop.check()


def rows_that_are_locked(folder):
    shop, stall = make(folder)
    with shop.connect() as app:
        app.run("BEGIN; SELECT FROM item WHERE id IN (7, 9) FOR UPDATE;"
                "INSERT INTO item VALUES (60, 'of the shop', 1)")
        stall.write(["UPDATE item SET n = 1", "DELETE FROM item WHERE id = 9",
                     "INSERT INTO item VALUES (60, 'of the stall', 1), (61, 'x', 1)",
                     "UPDATE other SET n = 1"])
        pairs.settle(folder, [shop, stall])
        expect_equal(rows(shop, "SELECT id, n FROM item WHERE id IN (6, 7, 8, 9, 60, 61)"
                          " ORDER BY id"), [(6, 1), (7, 0), (8, 1), (9, 0), (61, 1)], "items")
        expect_equal(rows(shop, "SELECT count(*), sum(n) FROM other"), [(5, 5)], "others")
        app.run("ROLLBACK")
    same(folder, shop, stall)
    expect_equal(rows(shop, "SELECT count(*), sum(n) FROM item"), [(51, 51)], "items")


def rows_that_are_locked_beside_refused_ones(folder):
    """What is refused is tried once a visit, whatever is held."""
    shop, stall = make(folder)
    shop.script("ALTER TABLE item ADD CHECK (n < 100)")
    stall.write("UPDATE item SET n = 500 WHERE id = 1")
    pairs.settle(folder, [shop, stall])
    expect_equal(shop.run("status", "--json").json()["quarantined"], 1, "refused rows")
    for held in ("SELECT FROM item WHERE id = 2 FOR UPDATE",
                 "LOCK TABLE item IN SHARE MODE"):
        with shop.connect() as app:
            app.run(f"BEGIN; {held}")
            stall.write(["UPDATE item SET n = n + 1 WHERE id IN (2, 3)",
                         "UPDATE other SET n = n + 1"])
            pairs.settle(folder, [shop, stall])
            app.run("ROLLBACK")
        pairs.settle(folder, [shop, stall])
    expect_equal(rows(shop, "SELECT id, n FROM item WHERE id < 4 ORDER BY id"),
                 [(1, 0), (2, 2), (3, 2)], "items")
    shop.script("ALTER TABLE item DROP CONSTRAINT item_n_check")
    same(folder, shop, stall)


def tables_that_are_held(folder):
    """As VACUUM holds one, or ALTER TABLE, while constraints have to be decided."""
    shop, stall = make(folder)
    for mode in ("SHARE UPDATE EXCLUSIVE", "ACCESS EXCLUSIVE"):
        with shop.connect() as app:
            app.run(f"BEGIN; LOCK TABLE item IN {mode} MODE")
            for table in ("item", "other"):
                stall.write([f"UPDATE {table} SET name = 'tmp' WHERE id = 1",
                             f"UPDATE {table} SET name = '{mode}' WHERE id = 2",
                             f"UPDATE {table} SET name = 'next to {mode}', n = 2 WHERE id = 1"])
                stall.write([f"UPDATE {table} SET name = 'tmp' WHERE id = 1",
                             f"UPDATE {table} SET name = 'next to {mode}' WHERE id = 2",
                             f"UPDATE {table} SET name = '{mode}' WHERE id = 1"])
            pairs.settle(folder, [shop, stall])
            expect_equal(shop.rows("SELECT id, name FROM other WHERE id < 3 ORDER BY id"),
                         [("1", mode), ("2", f"next to {mode}")], "others")
            app.run("ROLLBACK")
        same(folder, shop, stall)
        expect_equal(shop.rows("SELECT id, name FROM item WHERE id < 3 ORDER BY id"),
                     [("1", mode), ("2", f"next to {mode}")], "items")


def rows_that_are_parked(folder):
    """What a held table has parked is looked at when it is free, whoever wrote last."""
    shop, stall = make(folder)
    shop.write("INSERT INTO item VALUES (70, 'one name', 1)")
    stall.write("INSERT INTO item VALUES (71, 'one name', 1)")
    same(folder, shop, stall)
    expect_equal(rows(shop, "SELECT id FROM item WHERE name = 'one name'"), [(70,)], "the older")
    with shop.connect() as app:
        app.run("BEGIN; LOCK TABLE item IN SHARE UPDATE EXCLUSIVE MODE")
        stall.write(["DELETE FROM item WHERE id = 70", "UPDATE other SET n = 3"])
        stall.run("capture")
        stall.run("apply")
        stall.write(["UPDATE item SET n = 4 WHERE id = 71"])
        pairs.settle(folder, [shop, stall])
        expect_equal(rows(shop, "SELECT sum(n) FROM other"), [(15,)], "others")
        expect_equal(rows(shop, "SELECT id FROM item WHERE name = 'one name'"), [(70,)],
                     "still the older")
        app.run("ROLLBACK")
    same(folder, shop, stall)
    expect_equal(rows(shop, "SELECT id, n FROM item WHERE name = 'one name'"), [(71, 4)],
                 "the other")


def a_parent_that_may_go(folder):
    shop, stall = make(folder)
    with shop.connect() as app:
        app.run("BEGIN; DELETE FROM parent WHERE id = 1")
        stall.write(["INSERT INTO child VALUES (1, 1), (2, 2)", "UPDATE other SET n = 1"])
        pairs.settle(folder, [shop, stall])
        expect_equal(rows(shop, "SELECT id FROM child"), [], "children")
        expect_equal(rows(shop, "SELECT sum(n) FROM other"), [(5,)], "others")
        app.run("COMMIT")
    same(folder, shop, stall)
    expect_equal(rows(shop, "SELECT id FROM child"), [(2,)], "children")
    expect_equal(shop.run("status", "--json").json()["parked"], 1, "parked rows")


def more_than_a_batch_repairs(folder):
    """Many rows that can't be written do not keep others waiting, and status counts them."""
    shop, stall = make(folder)
    shop.write("INSERT INTO parent SELECT i, 0 FROM generate_series(3, 1100) i")
    same(folder, shop, stall)
    with shop.connect() as app, shop.connect() as other:
        app.run("BEGIN; SELECT FROM parent WHERE id <= 1050 FOR UPDATE")
        other.run("BEGIN; SELECT FROM parent WHERE id > 1050 FOR UPDATE")
        stall.write("UPDATE parent SET n = 1")
        stall.sync(folder / "shared")
        shop.sync(folder / "shared")
        expect_equal(shop.run("status", "--json").json()["repairs"], 1100, "repairs")
        expect("1100 rows to be written again" in shop.run("status").output, "status")
        other.run("ROLLBACK")
        shop.run("apply")
        expect_equal(rows(shop, "SELECT sum(n), min(id) FROM parent WHERE n > 0"), [(50, 1051)],
                     "rows that are free")
        app.run("ROLLBACK")
    same(folder, shop, stall)
    expect_equal(shop.run("status", "--json").json()["repairs"], 0, "repairs")


if __name__ == "__main__":
    with Cluster() as pairs.CLUSTER:
        main([rows_that_are_locked, rows_that_are_locked_beside_refused_ones,
              tables_that_are_held, rows_that_are_parked,
              a_parent_that_may_go, more_than_a_batch_repairs])
