"""A node on Postgres that founds a fleet, and one on SQLite that joins it: for tests of both ways."""

from postgres_node import PostgresNode, shown
from rowferry import Node, expect_equal
from rowferry import settle as settle_nodes

CLUSTER = None  # of all tests of a file: a database each

KINDS = [("small", "smallint", "-32768"), ("whole", "integer", "2147483647"),
         ("large", "bigint", "-9223372036854775808"),
         ("exact", "numeric", "12345678901234567890.123400"),
         ("money_like", "numeric(10,2)", "1.50"), ("single", "real", "0.1"),
         ("real", "double precision", "5e-324"), ("truth", "boolean", "t"),
         ("words", "text", "a'b\\c\n\t\u00e4\U0001f600"),
         ("short", "character varying(9)", "x"), ("padded", "character(4)", "ab"),
         ("bytes", "bytea", "\\x00ff5c27"), ("day", "date", "0044-03-15 BC"),
         ("moment", "timestamp", "2024-02-29 23:59:59.999999"),
         ("moment_tz", "timestamptz", "2024-02-29 23:59:59.5+05:30"),
         ("hour", "time", "24:00:00"), ("hour_tz", "timetz", "01:02:03+04"),
         ("span", "interval", "1 year 2 mons -3 days 04:05:06.7"),
         ("token", "uuid", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"),
         ("document", "json", '{"b" : 1,  "a":[1,2]}'),
         ("binary_document", "jsonb", '{"b" : 1,  "a":[1,2]}'),
         ("list", "integer[]", "{{1,NULL},{3,4}}"),
         ("texts", "text[]", '{"a\\"b",NULL,"NULL","",x}'),
         ("range", "int4range", "[1,5)"), ("address", "inet", "::1/64"),
         ("network", "cidr", "10.0.0.0/8"), ("card", "macaddr", "08:00:2b:01:02:03"),
         ("coins", "money", "$12.50"), ("tree", "xml", "<a>b</a>"),
         ("lexemes", "tsvector", "'a':1 'b':2"), ("bits", "bit varying", "1011"),
         ("mood", "mood", "happy"), ("pair", "pair", "(1,\"a,b\")"),
         ("positive", "positive", "7"), ("point", "point", "(1,2)")]

TYPES = """
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TYPE pair AS (n integer, t text);
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
"""


def quoted(text):
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


def make_pair(folder, schema, *words):
    """shop on Postgres founds the fleet, stall on SQLite joins with its tables."""
    (folder / "shared").mkdir()
    shop = PostgresNode(folder, folder.name.replace("-", "_"), CLUSTER)
    shop.script(schema)
    shop.init(*words)
    shop.run("token", folder / "token")
    stall = Node(folder, "stall")
    stall.init("--join", folder / "token", "--create-tables")
    carry(folder, shop, stall)
    return shop, stall


def carry(folder, shop, stall):
    shop.sync(folder / "shared")
    stall.sync(folder / "shared")


def settle(folder, nodes):
    settle_nodes(nodes, folder / "shared")


def expect_same(shop, stall, table, columns, kinds, key, what):
    expect_equal(shown(stall, table, columns, kinds, key),
                 shown(shop, table, columns, kinds, key), what)
    stall.check()
    shop.run("verify")
