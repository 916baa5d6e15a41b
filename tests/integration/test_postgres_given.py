"""A slot and a publication that the database's administrator has made: used as they are, checked
first, and never made, altered or dropped."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

import postgres_pairs as pairs  # noqa: E402
from postgres import Cluster  # noqa: E402
from postgres_node import PostgresNode  # noqa: E402
from rowferry import Node, expect_equal, main  # noqa: E402

SCHEMA = """
CREATE TABLE item (id integer PRIMARY KEY, name text);
INSERT INTO item SELECT i, 'item ' || i FROM generate_series(1, 5) i;
CREATE TABLE spread (id integer PRIMARY KEY, n integer) PARTITION BY RANGE (id);
CREATE TABLE spread_low PARTITION OF spread FOR VALUES FROM (0) TO (100);
INSERT INTO spread VALUES (1, 1);
"""
CLUSTER = None


def make_shop(folder):
    shop = PostgresNode(folder, folder.name.replace("-", "_"), CLUSTER)
    shop.script(SCHEMA)
    return shop, ("--slot", f"{shop.name}_slot", "--publication", "theirs")


def make_slot(shop, plugin="pgoutput", rest=""):
    shop.rows(f"SELECT pg_create_logical_replication_slot('{shop.name}_slot', '{plugin}'{rest})")


def used_as_they_are(folder):
    """What was written between the slot's making and init is in the copy, and told once."""
    shop, given = make_shop(folder)
    shop.script("CREATE PUBLICATION theirs FOR TABLE item, spread"
                " WITH (publish_via_partition_root = true)")
    make_slot(shop)
    shop.write("INSERT INTO item VALUES (6, 'between')")
    shop.init(*given)
    (folder / "shared").mkdir()
    shop.run("token", folder / "token")
    stall = Node(folder, "stall")
    stall.init("--join", folder / "token", "--create-tables")
    pairs.carry(folder, shop, stall)
    shop.write(["UPDATE item SET name = 'one' WHERE id = 1", "INSERT INTO spread VALUES (2, 2)"])
    stall.write("INSERT INTO item VALUES (7, 'stall')")
    pairs.settle(folder, [shop, stall])
    for table, columns, kinds in (("item", ["id", "name"], ["integer", "text"]),
                                  ("spread", ["id", "n"], ["integer", "integer"])):
        pairs.expect_same(shop, stall, table, columns, kinds, ["id"], table)
    expect_equal(shop.run("status", "--json").json()["slot"]["name"], f"{shop.name}_slot", "status")
    for table in ("item", "spread"):
        expect_equal({len(shop.run("history", table, row[0], "--json").json_lines()) > 2
                      for row in shop.rows(f"SELECT id FROM {table}")}, {False}, "told twice")
    shop.script("CREATE TABLE later (id integer PRIMARY KEY); INSERT INTO later VALUES (1)")
    said = shop.run("capture")
    expect_equal("ALTER PUBLICATION" in said.output + said.errors, True, f"what to run: {said}")
    shop.script("ALTER PUBLICATION theirs ADD TABLE later")
    shop.script("CREATE TABLE other (id integer)")  # another schema, another look
    shop.run("capture")
    shop.run("history", "later", "1")
    made = shop.rows("SELECT oid, prrelid FROM pg_publication_rel ORDER BY 1")
    shop.run("resync", "--prefer", "database")
    shop.run("resync", "--prefer", "log")
    shop.write("INSERT INTO item VALUES (8, 'after')")
    pairs.settle(folder, [shop, stall])
    pairs.expect_same(shop, stall, "item", ["id", "name"], ["integer", "text"], ["id"], "in the end")
    expect_equal(shop.rows("SELECT oid, prrelid FROM pg_publication_rel ORDER BY 1"), made,
                 "the publication is theirs")
    shop.rows(f"SELECT pg_drop_replication_slot('{shop.name}_slot')")
    shop.refuse(1, "is gone", "capture")
    shop.refuse(1, "pg_create_logical_replication_slot", "resync", "--prefer", "database")
    make_slot(shop)
    shop.run("resync", "--prefer", "database")
    shop.run("diff")


def anything_wrong_is_one_line(folder):
    shop, given = make_shop(folder)
    publication = "CREATE PUBLICATION theirs FOR TABLE item, spread WITH (publish_via_partition_root = {}{})"

    def refused(saying):
        shop.refuse(3, saying, "init", shop.url, *given)
        expect_equal(shop.store.exists(), False, "a store")

    refused("there is no replication slot")
    make_slot(shop, rest=", false, true")
    refused("two_phase")
    shop.rows(f"SELECT pg_drop_replication_slot('{shop.name}_slot')")
    make_slot(shop, plugin="test_decoding")
    refused("one for pgoutput is wanted")
    shop.rows(f"SELECT pg_drop_replication_slot('{shop.name}_slot')")
    with CLUSTER.connect("postgres") as other:
        other.run(f"SELECT pg_create_logical_replication_slot('{shop.name}_slot', 'pgoutput')")
    refused("is of the database postgres")
    shop.rows(f"SELECT pg_drop_replication_slot('{shop.name}_slot')")
    with shop.connect() as other:
        other.run(f"SELECT pg_create_logical_replication_slot('{shop.name}_slot', 'pgoutput', true)")
        refused("is temporary")
    make_slot(shop)
    refused('publication "theirs" does not exist')
    for wrong, saying in ((publication.format("false", ""), "publish_via_partition_root"),
                          (publication.format("true", ", publish = 'insert, update'"), "every delete"),
                          ("CREATE PUBLICATION theirs FOR TABLE spread WITH"
                           " (publish_via_partition_root = true)", "ADD TABLE public.item")):
        shop.script(wrong)
        refused(saying)
        shop.script("DROP PUBLICATION theirs")
    Node(folder, "stall").refuse(2, "for Postgres only", "init", "sqlite:x.db", *given)
    expect_equal(shop.rows(f"SELECT 1 FROM pg_replication_slots WHERE slot_name = '{shop.name}_slot'"),
                 [("1",)], "the slot is there")


if __name__ == "__main__":
    with Cluster() as CLUSTER:
        main([used_as_they_are, anything_wrong_is_one_line])
