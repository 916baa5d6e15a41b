"""Postgres as a source: what is committed there, in whatever way, stands in a SQLite peer."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from postgres import Cluster  # noqa: E402
import postgres_pairs as pairs  # noqa: E402
from postgres_pairs import KINDS, TYPES, carry, make_pair, quoted  # noqa: E402
from rowferry import expect, expect_equal, main  # noqa: E402

def expect_same(folder, shop, stall, table, columns, kinds, key, what):
    carry(folder, shop, stall)
    pairs.expect_same(shop, stall, table, columns, kinds, key, what)


def every_type(folder):
    columns = ["id"] + [name for name, _, _ in KINDS]
    kinds = ["integer"] + [kind for _, kind, _ in KINDS]
    schema = TYPES + "CREATE TABLE thing (id integer PRIMARY KEY" + "".join(
        f", {name} {kind}" for name, kind, _ in KINDS) + ");"
    values = ", ".join(quoted(text) for _, _, text in KINDS)

    def insert(key):
        return f"INSERT INTO thing VALUES ({key}, {values})"

    shop, stall = make_pair(folder, schema + insert(1) +
                            "; INSERT INTO thing (id) VALUES (2);")

    def same(what):
        expect_same(folder, shop, stall, "thing", columns, kinds, ["id"], what)

    same("the first copy")
    shop.write(insert(3))
    same("an insert")
    shop.write([f"UPDATE thing SET {name} = NULL WHERE id = 3" for name, _, _ in KINDS])
    same("NULL in each column, one after the other")
    shop.write([f"UPDATE thing SET {name} = {quoted(text)} WHERE id = 2"
                for name, _, text in KINDS])
    same("a value in each column")
    entries = shop.last_seq()
    shop.write("UPDATE thing SET whole = whole")
    carry(folder, shop, stall)
    expect_equal(shop.last_seq(), entries, "entries after an update that changes nothing")
    shop.check()


def shapes_of_transactions(folder):
    shop, stall = make_pair(folder, """
        CREATE TABLE item (id bigint PRIMARY KEY, name text, n integer);
        CREATE TABLE part (item bigint REFERENCES item ON DELETE CASCADE, place integer,
                           data text, PRIMARY KEY (item, place));
        INSERT INTO item SELECT i, 'item ' || i, i FROM generate_series(1, 100) i;
        INSERT INTO part SELECT i, p, repeat('x', i) FROM generate_series(1, 100) i,
                                                       generate_series(1, 2) p;""")

    def same(what):
        expect_same(folder, shop, stall, "item", ["id", "name", "n"],
                    ["bigint", "text", "integer"], ["id"], what)
        expect_same(folder, shop, stall, "part", ["item", "place", "data"],
                    ["bigint", "integer", "text"], ["item", "place"], what)

    same("the first copy")
    for what, statements in {
            "several rows": ["UPDATE item SET n = n + 1 WHERE id < 50"],
            "a row several times": ["INSERT INTO item VALUES (200, 'a', 1)",
                                    "UPDATE item SET n = 2 WHERE id = 200",
                                    "UPDATE item SET name = 'b' WHERE id = 200",
                                    "DELETE FROM item WHERE id = 200",
                                    "INSERT INTO item VALUES (200, 'c', 3)"],
            "come and gone": ["INSERT INTO item VALUES (300, 'a', 1)",
                              "DELETE FROM item WHERE id = 300"],
            "a cascade": ["DELETE FROM item WHERE id BETWEEN 10 AND 20"],
            "a key that changes": ["UPDATE item SET id = 400 WHERE id = 200"],
            "keys that move on": ["DELETE FROM part WHERE item > 90",
                                  "UPDATE part SET place = place + 1 WHERE place = 2",
                                  "UPDATE part SET place = place + 1 WHERE place = 1"],
            "savepoints": ["SAVEPOINT a", "UPDATE item SET n = -1 WHERE id = 1",
                           "ROLLBACK TO a", "UPDATE item SET n = -2 WHERE id = 2",
                           "SAVEPOINT b", "DELETE FROM item WHERE id = 3",
                           "RELEASE b"],
            "a truncate": ["TRUNCATE item CASCADE",
                           "INSERT INTO item VALUES (1, 'new', 1)"],
            "after it": ["INSERT INTO part VALUES (1, 1, 'new')"]}.items():
        shop.write(statements)
        same(what)
    with shop.connect() as connection:
        connection.run("BEGIN")
        connection.run("INSERT INTO item VALUES (500, 'undone', 1)")
        connection.run("ROLLBACK")
        connection.run("BEGIN")
        connection.run("INSERT INTO item VALUES (501, 'prepared', 1)")
        connection.run("PREPARE TRANSACTION 'one'")
        same("a prepared transaction is none yet")
        connection.run("INSERT INTO item VALUES (502, 'between', 1)")
        connection.run("COMMIT PREPARED 'one'")
        same("and is one now")
    expect(stall.rows("SELECT count(*) FROM item WHERE id >= 500") == [(2,)], "both are there")
    shop.check()


def values_out_of_line(folder):
    """Unchanged TOAST is not sent with an update: it comes from what the store knows."""
    shop, stall = make_pair(folder, """
        CREATE TABLE page (id integer PRIMARY KEY, n integer, body text, more text);
        ALTER TABLE page ALTER body SET STORAGE EXTERNAL, ALTER more SET STORAGE EXTERNAL;
        CREATE TABLE long_key (id text PRIMARY KEY, n integer);
        ALTER TABLE long_key ALTER id SET STORAGE EXTERNAL;
        INSERT INTO page VALUES (1, 1, repeat('long ', 5000), NULL);""")

    def same(what):
        expect_same(folder, shop, stall, "page", ["id", "n", "body", "more"],
                    ["integer", "integer", "text", "text"], ["id"], what)
        expect_same(folder, shop, stall, "long_key", ["id", "n"], ["text", "integer"], ["id"],
                    what)

    same("the first copy")
    shop.write("UPDATE page SET n = 2")
    same("an update beside it")
    shop.write(["INSERT INTO page VALUES (2, 1, repeat('b', 9000), repeat('c', 9000))",
                "UPDATE page SET n = 3 WHERE id = 2", "UPDATE page SET n = 4 WHERE id = 2"])
    same("in the transaction that made it")
    shop.write("UPDATE page SET id = 3 WHERE id = 2")
    same("under a new key")
    shop.write(["UPDATE page SET id = 4 WHERE id = 3", "UPDATE page SET n = 9 WHERE id = 4",
                "UPDATE page SET more = 'short' WHERE id = 4"])
    same("under another, and changed again")
    shop.write("ALTER TABLE page REPLICA IDENTITY FULL")
    shop.write(["UPDATE page SET n = 5", "UPDATE page SET id = 7 WHERE id = 1"])
    same("with the whole row before it")
    shop.write("INSERT INTO long_key VALUES (repeat('k', 1500) || '1', 1)")
    shop.write("UPDATE long_key SET n = 2")
    same("a long key")


def names_and_schemas(folder):
    shop, stall = make_pair(folder, """
        CREATE SCHEMA "other.one";
        CREATE TABLE "other.one"."select" ("Id" integer PRIMARY KEY, "a ""b" text, "from" text);
        CREATE SCHEMA sales;
        CREATE TABLE sales.item (id integer PRIMARY KEY, v text);
        CREATE TABLE item (id integer PRIMARY KEY, v text);
        INSERT INTO sales.item VALUES (1, 'sales');
        INSERT INTO item VALUES (1, 'public');""")
    shop.write(["INSERT INTO sales.item VALUES (2, 'x')", "UPDATE item SET v = 'changed'"])
    carry(folder, shop, stall)
    expect_equal(stall.rows('SELECT * FROM "sales.item" ORDER BY id'),
                 [(1, b"sales"), (2, b"x")], "sales.item")
    expect_equal(stall.rows("SELECT * FROM item"), [(1, b"changed")], "public.item")


def partitions(folder):
    shop, stall = make_pair(folder, """
        CREATE TABLE event (day date, id integer, v text, PRIMARY KEY (day, id))
            PARTITION BY RANGE (day);
        CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
        CREATE TABLE event_2 PARTITION OF event FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
        INSERT INTO event VALUES ('2024-01-05', 1, 'a'), ('2024-02-05', 1, 'b');""")

    def same(what):
        expect_same(folder, shop, stall, "event", ["day", "id", "v"], ["date", "integer", "text"],
                    ["day", "id"], what)

    same("the first copy")
    shop.write(["INSERT INTO event VALUES ('2024-02-06', 2, 'c')",
                "INSERT INTO event_1 VALUES ('2024-01-06', 2, 'd')",
                "UPDATE event SET day = '2024-02-20' WHERE id = 1 AND day = '2024-01-05'"])
    same("by root and by leaf, and from one to the other")
    shop.write(["TRUNCATE event", "INSERT INTO event VALUES ('2024-01-01', 1, 'new')"])
    same("the root is truncated")


def tables_that_change(folder):
    """In mid-stream and in mid-transaction: the rows that were told before are told again when
    a definition has to be logged first."""
    shop, stall = make_pair(folder, """
        CREATE TABLE item (id integer PRIMARY KEY, name text, gone text);
        CREATE TABLE other (id integer PRIMARY KEY);
        INSERT INTO item VALUES (1, 'one', 'x');""")
    shop.write("ALTER TABLE item ADD COLUMN n integer DEFAULT 7")
    stall.write("ALTER TABLE item ADD COLUMN n INTEGER DEFAULT 7")
    shop.write(["INSERT INTO other VALUES (1)", "ALTER TABLE item ADD COLUMN brief integer",
                "INSERT INTO item VALUES (2, 'two', 'y', 8, NULL)",
                "ALTER TABLE item DROP COLUMN brief", "INSERT INTO other VALUES (2)"])
    shop.write("UPDATE item SET name = 'uno' WHERE id = 1")
    shop.write("ALTER TABLE item DROP COLUMN gone")
    shop.write("UPDATE item SET n = 9 WHERE id = 1")
    expect_same(folder, shop, stall, "item", ["id", "name", "n"],
                ["integer", "text", "integer"], ["id"], "item")
    expect_equal(stall.rows("SELECT id FROM other ORDER BY id"), [(1,), (2,)], "other")
    expect_equal([entry["kind"] for entry in shop.log() if len(entry.get("changes", [])) == 3],
                 ["changes"], "one entry of the transaction")
    shop.script("ALTER TABLE item RENAME COLUMN id TO number")
    expect_equal(shop.run("capture").errors, "", "nothing is left out")
    shop.script("CREATE TABLE fresh (id integer PRIMARY KEY); CREATE TABLE keyless (n integer)")
    expect_equal(shop.run("capture").errors, "", "nor of one that can't be captured")
    shop.script("ALTER TABLE item DROP CONSTRAINT item_pkey, ADD PRIMARY KEY (name)")
    shop.refuse(1, "its key has other columns than before", "capture")


if __name__ == "__main__":
    with Cluster() as pairs.CLUSTER:
        main([every_type, shapes_of_transactions, values_out_of_line, names_and_schemas,
              partitions, tables_that_change])
