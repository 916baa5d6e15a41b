"""What constraints forbid is parked on Postgres as it is on SQLite, and comes back by itself."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

import postgres_pairs as pairs  # noqa: E402
from postgres import Cluster  # noqa: E402
from rowferry import expect, expect_equal, main  # noqa: E402

SCHEMA = """
    CREATE TABLE parent (id integer PRIMARY KEY, name text UNIQUE,
                         parent_id integer REFERENCES parent);
    CREATE TABLE child (id integer PRIMARY KEY, parent_id integer REFERENCES parent, note text);
    INSERT INTO parent VALUES (1, 'one', NULL), (2, 'two', 1), (3, 'three', 2);
    INSERT INTO child VALUES (10, 1, 'a'), (20, 2, 'b');"""


def make(folder):
    shop, stall = pairs.make_pair(folder, SCHEMA)
    pairs.settle(folder, [shop, stall])
    return shop, stall


def same(folder, shop, stall, what):
    pairs.settle(folder, [shop, stall])
    pairs.expect_same(shop, stall, "parent", ["id", "name", "parent_id"],
                      ["integer", "text", "integer"], ["id"], what)
    pairs.expect_same(shop, stall, "child", ["id", "parent_id", "note"],
                      ["integer", "integer", "text"], ["id"], what)
    expect_equal(shop.run("status", "--json").json()["parked"],
                 stall.run("status", "--json").json()["parked"], f"parked: {what}")


def two_take_one_name(folder):
    shop, stall = make(folder)
    shop.write("INSERT INTO parent VALUES (4, 'x', NULL)")
    stall.write("INSERT INTO parent VALUES (5, 'x', NULL)")
    stall.write("INSERT INTO child VALUES (50, 5, 'of five')")
    same(folder, shop, stall, "two rows of one name")
    expect_equal(shop.rows("SELECT id FROM parent WHERE name = 'x'"), [("4",)], "the older")
    expect_equal(shop.rows("SELECT id FROM child WHERE id = 50"), [], "the child of the other")
    shop.write("UPDATE parent SET name = 'y' WHERE id = 4")
    same(folder, shop, stall, "the name is free")
    expect_equal(shop.rows("SELECT name FROM parent WHERE id = 5"), [("x",)], "the younger")
    expect_equal(shop.rows("SELECT id FROM child WHERE id = 50"), [("50",)], "its child")
    stall.write("INSERT INTO parent VALUES (6, 'z', NULL)")
    shop.write("INSERT INTO parent VALUES (7, 'z', NULL)")
    same(folder, shop, stall, "the older one comes in later")
    expect_equal(shop.rows("SELECT id FROM parent WHERE name = 'z'"), [("6",)], "the older")
    stall.write("DELETE FROM parent WHERE id = 6")
    same(folder, shop, stall, "the older one goes")
    expect_equal(shop.rows("SELECT id FROM parent WHERE name = 'z'"), [("7",)], "the younger")


def parents(folder):
    shop, stall = make(folder)
    shop.write(["DELETE FROM child WHERE parent_id = 2", "DELETE FROM parent WHERE id = 3",
                "DELETE FROM parent WHERE id = 2"])
    stall.write("INSERT INTO child VALUES (30, 3, 'its parent goes')")
    same(folder, shop, stall, "a child whose parent went")
    expect_equal(shop.rows("SELECT id FROM child ORDER BY id"), [("10",)], "children")
    stall.write("INSERT INTO parent VALUES (3, 'three again', NULL)")
    same(folder, shop, stall, "the parent is back")
    expect_equal(shop.rows("SELECT id FROM child ORDER BY id"), [("10",), ("30",)], "children")
    stall.write(["INSERT INTO parent VALUES (100, 'top', NULL), (101, 'mid', 100)",
                 "INSERT INTO child VALUES (1000, 101, 'deep')"])
    same(folder, shop, stall, "a family of three")
    stall.write(["DELETE FROM child WHERE id = 1000", "DELETE FROM parent WHERE id = 101",
                 "DELETE FROM parent WHERE id = 100"])
    same(folder, shop, stall, "and without it")


def unique_values_move(folder):
    shop, stall = make(folder)
    stall.write(["UPDATE parent SET name = 'tmp' WHERE id = 1",
                 "UPDATE parent SET name = 'one' WHERE id = 2",
                 "UPDATE parent SET name = 'two' WHERE id = 1"])
    same(folder, shop, stall, "two names are exchanged")
    stall.write(["UPDATE parent SET name = 'tmp' WHERE id = 1",
                 "UPDATE parent SET name = 'two' WHERE id = 3",
                 "UPDATE parent SET name = 'three' WHERE id = 2",
                 "UPDATE parent SET name = 'one' WHERE id = 1"])
    same(folder, shop, stall, "three names go round")
    expect_equal(shop.rows("SELECT id, name FROM parent ORDER BY id"),
                 [("1", "one"), ("2", "three"), ("3", "two")], "names")
    expect_equal(shop.run("status", "--json").json()["parked"], 0, "parked rows")
    entries = shop.last_seq()
    pairs.settle(folder, [shop, stall])
    expect_equal(shop.last_seq(), entries, "what was moved to and fro is nobody's write")


def deferrable(folder):
    """The server does not look at constraints that may be deferred, nor at exclusions, when a
    replica writes."""
    shop, stall = pairs.make_pair(folder, """
        CREATE TABLE seat (id integer PRIMARY KEY, place integer UNIQUE DEFERRABLE
            INITIALLY DEFERRED, who text);
        INSERT INTO seat VALUES (1, 1, 'a'), (2, 2, 'b');""")
    pairs.settle(folder, [shop, stall])
    shop.write("INSERT INTO seat VALUES (3, 7, 'shop')")
    stall.write("INSERT INTO seat VALUES (4, 7, 'stall')")
    pairs.settle(folder, [shop, stall])
    pairs.expect_same(shop, stall, "seat", ["id", "place", "who"],
                      ["integer", "integer", "text"], ["id"], "one seat")
    expect_equal(shop.rows("SELECT who FROM seat WHERE place = 7"), [("shop",)], "who sits there")


if __name__ == "__main__":
    with Cluster() as pairs.CLUSTER:
        main([two_take_one_name, parents, unique_values_move, deferrable])
