"""diff of a Postgres database: what the log has is there, and what is not so is named."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from postgres import Cluster  # noqa: E402
from postgres_node import PostgresNode  # noqa: E402
from rowferry import Node, expect, expect_equal, main  # noqa: E402

CLUSTER = None


def make_shop(folder, schema):
    shop = PostgresNode(folder, folder.name.replace("-", "_"), CLUSTER)
    shop.script(schema)
    shop.init()
    return shop


def differences(node, code=1):
    """(kind, table, key, columns) of each row, and the counts."""
    *lines, said = node.run("diff", "--json", code=code).json_lines()
    return [(line["kind"], line["table"], line.get("key"), line.get("columns") or None)
            for line in lines], said


EVERYTHING = """
    CREATE TYPE mood AS ENUM ('sad', 'happy');
    CREATE TABLE "Item" (id integer PRIMARY KEY, "Name" varchar(20) UNIQUE, name text, n numeric UNIQUE,
        twice integer GENERATED ALWAYS AS (id * 2) STORED, at timestamptz, r real, m mood, b bytea,
        d date UNIQUE, u uuid UNIQUE, t boolean);
    CREATE TABLE item (id integer, "Id" integer, PRIMARY KEY (id, "Id"));
    CREATE TABLE part (id uuid PRIMARY KEY, item integer REFERENCES "Item", of numeric REFERENCES "Item" (n),
        UNIQUE (item, of));
    CREATE TABLE tree (id integer PRIMARY KEY, parent integer REFERENCES tree);
    INSERT INTO "Item" (id, "Name", name, n, at, r, m, b, d, u, t) VALUES
        (1, 'one', 'eins', 1.10, now(), 0.1, 'sad', '\\x00', '0044-03-15 BC', gen_random_uuid(), true),
        (2, 'two', NULL, 'NaN', 'infinity', 'NaN', NULL, '', 'infinity', NULL, false),
        (3, 'Two', NULL, NULL, NULL, '-0', NULL, NULL, NULL, NULL, NULL);
    INSERT INTO item VALUES (1, 2), (2, 1);
    INSERT INTO part VALUES ('A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 1, 1.1),
        ('A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A12', 1, 'NaN'), ('A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A13', 1, NULL);
    INSERT INTO tree VALUES (2, NULL); INSERT INTO tree VALUES (1, 2), (3, 1);
"""


def nothing_differs_after_a_capture(folder):
    shop = make_shop(folder, EVERYTHING)
    found, said = differences(shop, 0)
    expect_equal((found, said["rows"], said["tables"], said["parked"]), ([], 11, 4, 0), "the first copy")
    shop.write(["UPDATE tree SET parent = 3 WHERE id = 2", "UPDATE \"Item\" SET n = 1.100 WHERE id = 1",
                "DELETE FROM part WHERE of IS NULL", "UPDATE item SET id = 9 WHERE id = 2"])
    shop.run("capture")
    found, said = differences(shop, 0)
    expect_equal((found, said["rows"]), ([], 10), "after a capture")


def what_is_not_captured_is_a_difference(folder):
    shop = make_shop(folder, EVERYTHING)
    shop.write(["UPDATE \"Item\" SET name = 'uno', m = 'happy' WHERE id = 1", "DELETE FROM item WHERE id = 2",
                "INSERT INTO tree VALUES (4, 1)", "UPDATE tree SET id = 5 WHERE id = 3"])
    last = shop.last_seq()
    found, said = differences(shop)
    expect_equal(found, [("changed", "Item", {"id": 1}, ["name", "m"]),
                         ("missing", "item", {"id": 2, "Id": 1}, None),
                         ("extra", "tree", {"id": 4}, None), ("extra", "tree", {"id": 5}, None),
                         ("missing", "tree", {"id": 3}, None)], "rows")
    expect_equal((said["changed"], said["missing"], said["extra"]), (1, 2, 2), "counts")
    expect_equal(shop.last_seq(), last, "entries: diff only reads")
    shop.run("capture")
    expect_equal(differences(shop, 0)[0], [], "after a capture")
    shop.script("DROP TABLE part")
    found, said = differences(shop)
    expect_equal((found[0][:2], said["gone"]), (("gone", "part"), 3), "a table that is gone")


def what_only_postgres_can_evaluate_is_said(folder):
    shop = make_shop(folder, """
        CREATE TABLE word (id integer PRIMARY KEY, w text, span interval UNIQUE);
        CREATE TABLE low (id integer PRIMARY KEY, w text);
        CREATE UNIQUE INDEX low_w ON low (lower(w));
        CREATE TABLE part (id integer PRIMARY KEY, w text);
        CREATE UNIQUE INDEX part_w ON part (w) WHERE id > 5;
        CREATE TABLE plain (id integer PRIMARY KEY, w text UNIQUE);
        INSERT INTO word VALUES (1, 'a', '1 day'); INSERT INTO low VALUES (1, 'a');
        INSERT INTO part VALUES (1, 'a'), (2, 'a'); INSERT INTO plain VALUES (1, 'a');""")
    found, said = differences(shop, 0)
    expect_equal([row[:2] for row in found],
                 [("lacking", "word")], "tables")
    shop.write("UPDATE word SET w = 'b'")
    found, said = differences(shop)
    expect(("changed", "word", {"id": 1}, ["w"]) in found, f"rows are compared all the same: {found}")


def what_comes_from_others_and_is_not_there(folder):
    """A peer's rows are in the log before the database takes them: they are no difference."""
    (folder / "shared").mkdir()
    shop = make_shop(folder, "CREATE TABLE item (id integer PRIMARY KEY, n integer);"
                             "INSERT INTO item VALUES (1, 1);")
    shop.run("token", folder / "token")
    shop.sync(folder / "shared")
    stall = Node(folder, "stall")
    stall.init("--join", folder / "token", "--create-tables")
    stall.sync(folder / "shared")
    stall.write(["UPDATE item SET n = 2", "INSERT INTO item VALUES (2, 2)"])
    stall.sync(folder / "shared")
    stall.run("export", folder / "file")
    shop.run("import", folder / "file")
    found, said = differences(shop, 0)
    expect_equal((found, said["waiting"]), ([], 3), "before the database has them")
    shop.sync(folder / "shared")
    expect_equal(differences(shop, 0)[0], [], "rows")


def parked_rows_are_no_difference(folder):
    """Of two rows that took one name apart the later is parked."""
    (folder / "shared").mkdir()
    shop = make_shop(folder, """
        CREATE TABLE item (id integer PRIMARY KEY, name varchar(9), n numeric UNIQUE);
        CREATE UNIQUE INDEX ON item (lower(name));
        CREATE TABLE part (id integer PRIMARY KEY, item integer REFERENCES item);""")
    shop.run("token", folder / "token")
    shop.sync(folder / "shared")
    stall = Node(folder, "stall")
    stall.init("--join", folder / "token", "--create-tables")
    stall.sync(folder / "shared")
    shop.write("INSERT INTO item VALUES (1, 'One', 1)")
    shop.run("capture")
    stall.write(["INSERT INTO item VALUES (2, 'one', 2), (3, 'three', '1.0'), (4, 'four', 4)",
                 "INSERT INTO part VALUES (1, 2), (2, 3), (3, 4), (4, NULL)"])
    stall.sync(folder / "shared")
    shop.sync(folder / "shared")
    found, said = differences(shop, 0)
    expect_equal((found, said["parked"]), ([], 4), "parked rows")
    shop.write("DELETE FROM item WHERE id = 1")
    shop.sync(folder / "shared")
    found, said = differences(shop, 0)
    expect_equal((found, said["parked"]), ([], 0), "released rows")


if __name__ == "__main__":
    with Cluster() as CLUSTER:
        main([nothing_differs_after_a_capture, what_is_not_captured_is_a_difference,
              what_only_postgres_can_evaluate_is_said, what_comes_from_others_and_is_not_there,
              parked_rows_are_no_difference])
