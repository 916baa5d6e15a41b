"""A -> B -> A is a fixed point for every value that SQLite can hold, in every shape of table;
the log says what changed and only that; what one side's schema lacks waits for it."""

import base64
import json
import pathlib
import sqlite3
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from rowferry import LONG, Node, expect, expect_equal, main, make_pair, settle  # noqa: E402

LARGE = 100_000_000 if LONG else 20_000_000

# SQL for values; each is stored in columns of every declared type below.
VALUES = [
    "NULL", "''", "x''", "0", "1", "-1", "TRUE", "9223372036854775807", "-9223372036854775808",
    "9007199254740993", "0.1", "1e308", "-1e308", "5e-324", "-5e-324", "2.2250738585072014e-308",
    "-0.0", "9e999", "-9e999", "1.0", "1e15", "123456789012345678.0", "9223372036854775807.0",
    "'123'", "' 123 '", "'1.5'", "'0x10'", "'1e3'", "'Infinity'", "'NULL'", "'true'",
    """'< > & '' " \\ ` { } [ ] $1 ? :a @b -- /* */ % _ ; '""",
    "char(9, 10, 13, 7, 27, 127)", "'tab' || char(9) || 'line' || char(10)",
    # Each plane of Unicode, and what is no character.
    "char(228, 8364, 20013, 65533)",
    "char(65536, 131072, 196608, 917504, 983040, 1048576, 1114111)",
    "char(769) || 'a' || char(769)", "char(8238) || 'abc'", "char(65279) || 'bom'",
    "char(128512, 8205, 127469)",
    "zeroblob(1)", "x'00ff80c0'", "randomblob(300)", "randomblob(70000)",
    "printf('%.*c', 70000, 'x')", "x'2d30'", "CAST('text' AS BLOB)",
]
# Not text, or no characters, or with a NUL: UTF-8 databases only, since SQLite itself does not
# keep them in UTF-16.
UTF8_VALUES = [
    "char(65534, 65535)",
    "CAST(x'00' AS TEXT)", "CAST(x'610062' AS TEXT)", "CAST(x'6100' AS TEXT)",
    "CAST(x'ff' AS TEXT)", "CAST(x'c328' AS TEXT)", "CAST(x'eda080' AS TEXT)",
    "CAST(x'f8888080' AS TEXT)", "CAST(x'f09f98' AS TEXT)", "CAST(x'c080' AS TEXT)",
]
TYPES = ["INTEGER", "REAL", "TEXT", "BLOB", "NUMERIC", "", "VARCHAR(3)", "BOOLEAN", "DATETIME",
         "DECIMAL(10, 5)", "JSON"]


def exact(node, table, columns="*"):
    """A table's rows so that values are told apart that SQL and Python call equal: by type, by
    each bit of a real."""
    names = [name.decode() for name, in
             node.rows("SELECT name FROM pragma_table_xinfo(?)", table)] \
        if columns == "*" else columns
    quoted = ['"' + name.replace('"', '""') + '"' for name in names]
    parts = ", ".join(f"typeof({name}), {name}" for name in quoted)
    return sorted(map(repr, node.rows('SELECT %s FROM "%s"' %
                                      (parts, table.replace('"', '""')))))


def same(a, b, table, columns="*"):
    expect_equal(exact(a, table, columns), exact(b, table, columns), f"{table} on both")


def rest(nodes):
    """Nothing moves any more: no node makes an entry, not even after a write of the same."""
    settle(nodes, nodes[0].folder / "shared")
    before = [node.last_seq() for node in nodes]
    for node in nodes:
        node.check()
        expect_equal(node.run("capture", "--json").json()["entries"], 0,
                     f"captured by {node.name}, who has written nothing")
        expect_equal(node.run("status", "--json").json()["quarantined"], 0, "quarantined")
    settle(nodes, nodes[0].folder / "shared")
    expect_equal([node.last_seq() for node in nodes], before, "entries")


def every_value_in_every_type_is_a_fixed_point(folder):
    columns = [f"c{i}" for i in range(len(TYPES))]
    declared = ", ".join(f"{name} {kind}" for name, kind in zip(columns, TYPES))
    a, b = make_pair(folder, f"CREATE TABLE v (id INTEGER PRIMARY KEY, {declared}, late);")
    a.write([f"INSERT INTO v SELECT {i}, {', '.join(['x'] * len(TYPES))}, NULL "
             f"FROM (SELECT {value} AS x)" for i, value in enumerate(VALUES + UTF8_VALUES)])
    rest([a, b])
    same(a, b, "v")
    # B changes another column of each row: what it only carries comes back as it was.
    had = exact(a, "v", ["id", *columns])
    b.write("UPDATE v SET late = 'touched'")
    rest([a, b])
    expect_equal(exact(a, "v", ["id", *columns]), had, "carried to b and back")
    expect_equal(a.rows("SELECT count(*) FROM v WHERE late = 'touched'"),
                 [(len(VALUES + UTF8_VALUES),)], "touched")
    changes = [change for entry in a.log() if entry["kind"] == "changes" and entry["name"] == "b"
               for change in entry["changes"]]
    expect_equal({json.dumps(change["old"]) for change in changes}, {'{"late": null}'},
                 "the values before of a column that changed")


def a_value_changes_into_any_other(folder):
    """-0.0 into 0.0, '1' into 1, '' into NULL: changes, though SQL may call some equal."""
    a, b = make_pair(folder, "CREATE TABLE v (id INTEGER PRIMARY KEY, x);")
    values = ["0.0", "-0.0", "0", "'0'", "x'30'", "''", "x''", "NULL", "1", "1.0", "'1'", "'a'", "'A'",
              "'a '", "9e999", "CAST(x'6100' AS TEXT)"]
    pairs = [(old, new) for old in values for new in values if old != new]
    a.write([f"INSERT INTO v VALUES ({i}, {old})" for i, (old, _) in enumerate(pairs)])
    settle([a, b], folder / "shared")
    a.write([f"UPDATE v SET x = {new} WHERE id = {i}" for i, (_, new) in enumerate(pairs)])
    said = a.run("capture", "--json").json()
    expect_equal(said["changes"], len(pairs), "changes")
    rest([a, b])
    same(a, b, "v")


def large_values_travel(folder):
    a, b = make_pair(folder, "CREATE TABLE v (id INTEGER PRIMARY KEY, x, note);")
    a.write([f"INSERT INTO v VALUES (1, randomblob({LARGE}), NULL)",
             f"INSERT INTO v VALUES (2, printf('%.*c', {LARGE}, 'x'), NULL)",
             "INSERT INTO v VALUES (3, 'small', NULL)"])
    settle([a, b], folder / "shared")
    a.write("UPDATE v SET note = 'n'")
    rest([a, b])
    for id_ in (1, 2, 3):
        sql = f"SELECT typeof(x), note, x FROM v WHERE id = {id_}"
        expect(a.rows(sql) == b.rows(sql), f"row {id_} is the same on both")


SHAPES = r'''
CREATE TABLE "select" ("from" INTEGER PRIMARY KEY, "where ""quoted""" TEXT, "a.b" TEXT, "  " TEXT);
CREATE TABLE "a table.with 'all' of [it] ""there""" (id INTEGER PRIMARY KEY, "näme" TEXT, `back``tick` TEXT);
CREATE TABLE "ÄÖÜ 中文" (id INTEGER PRIMARY KEY, x TEXT);
CREATE TABLE t2345678901234567890123456789012345678901234567890123456789012
    (id INTEGER PRIMARY KEY, c2345678901234567890123456789012345678901234567890123456789012 TEXT);
CREATE TABLE composite (b TEXT, a INTEGER, c BLOB, x TEXT, PRIMARY KEY (a, b, c)) WITHOUT ROWID;
CREATE TABLE texts (k TEXT PRIMARY KEY NOT NULL, x TEXT);
CREATE TABLE blobs (k BLOB PRIMARY KEY NOT NULL, x TEXT);
CREATE TABLE reals (k REAL PRIMARY KEY NOT NULL, x TEXT);
CREATE TABLE untyped (k PRIMARY KEY NOT NULL, x TEXT) WITHOUT ROWID;
CREATE TABLE nocase (k TEXT COLLATE NOCASE PRIMARY KEY NOT NULL, x TEXT);
CREATE TABLE rtrim (k TEXT COLLATE RTRIM PRIMARY KEY NOT NULL, x TEXT) WITHOUT ROWID;
CREATE TABLE strict (k INTEGER PRIMARY KEY, i INT, r REAL, t TEXT, b BLOB, a ANY) STRICT;
CREATE TABLE generated (id INTEGER PRIMARY KEY, x INTEGER, v INTEGER AS (x * 2),
    s TEXT GENERATED ALWAYS AS ('s' || x) STORED, y TEXT DEFAULT 'why');
CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT, x TEXT);
CREATE TABLE defaults (id INTEGER PRIMARY KEY, x TEXT DEFAULT (lower('ABC')), n NUMERIC DEFAULT 1.50,
    z BLOB DEFAULT x'00', q TEXT NOT NULL DEFAULT '');
CREATE TABLE lonely (id INTEGER PRIMARY KEY);
CREATE INDEX "an index, too" ON defaults (x) WHERE n > 1;
CREATE VIEW seen AS SELECT * FROM texts;
'''

SHAPE_WRITES = [
    """INSERT INTO "select" VALUES (1, 'w', 'ab', 'blank')""",
    r'''INSERT INTO "a table.with 'all' of [it] ""there""" VALUES (1, 'n', 'tick')''',
    """INSERT INTO "ÄÖÜ 中文" VALUES (1, 'x')""",
    "INSERT INTO t2345678901234567890123456789012345678901234567890123456789012 VALUES (1, 'x')",
    "INSERT INTO composite VALUES ('', 0, x'', 'e'), ('b', 1, x'00', 'f'), ('b', -1, x'00ff', 'g')",
    "INSERT INTO texts VALUES ('', 'e'), ('a', 'f'), ('a ', 'g'), ('A', 'h'), ('1', 'i')",
    "INSERT INTO texts SELECT printf('%.*c', n, 'k') || s, n FROM (SELECT 399 AS n UNION "
    "SELECT 400 UNION SELECT 401 UNION SELECT 511 UNION SELECT 5000), (SELECT 'a' AS s UNION "
    "SELECT 'b')",
    "INSERT INTO blobs VALUES (x'', 'e'), (x'00', 'f'), (x'0000', 'g'), (zeroblob(3000), 'h')",
    "INSERT INTO reals VALUES (0.0, 'zero'), (-1.5, 'm'), (9e999, 'i'), (1e300, 'h'), (3.0, 't')",
    "INSERT INTO untyped VALUES (1, 'i'), ('1', 't'), (x'31', 'b'), (1.5, 'r')",
    "INSERT INTO nocase VALUES ('Key', 'k'), ('other', 'o')",
    "INSERT INTO rtrim VALUES ('Key ', 'k'), ('key', 'o')",
    "INSERT INTO strict VALUES (1, 9223372036854775807, 2, 't', x'00', 'any'), "
    "(2, NULL, -0.0, '', x'', 7)",
    "INSERT INTO generated (id, x) VALUES (1, 5), (2, NULL)",
    "INSERT INTO counted (x) VALUES ('one'), ('two')",
    "INSERT INTO defaults (id) VALUES (1), (2)",
    "INSERT INTO lonely VALUES (1), (-9223372036854775808), (9223372036854775807)",
]
SHAPE_CHANGES = [
    """UPDATE "select" SET "a.b" = 'changed'""",
    r'''UPDATE "a table.with 'all' of [it] ""there""" SET "näme" = 'changed' ''',
    """UPDATE "ÄÖÜ 中文" SET id = 2""",
    "UPDATE composite SET a = a + 10",
    "UPDATE texts SET x = 'changed' WHERE k IN ('a', 'A')",
    "DELETE FROM texts WHERE k = 'a '",
    "UPDATE blobs SET k = x'01' WHERE k = x'00'",
    "UPDATE reals SET k = -k WHERE k = 3.0",
    "UPDATE untyped SET x = 'changed' WHERE k = '1'",
    "UPDATE nocase SET k = 'KEY' WHERE k = 'key'",
    "UPDATE rtrim SET k = 'Key' WHERE k = 'Key'",
    "UPDATE strict SET a = 1.5",
    "UPDATE generated SET x = x + 1",
    "UPDATE counted SET x = 'changed' WHERE id = 1",
    "UPDATE defaults SET x = 'changed' WHERE id = 1",
    "DELETE FROM lonely WHERE id = 1",
]


def tables_of(node):
    return [row[0].decode() for row in node.rows(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' "
        "AND name <> 'rowferry_state'")]


def same_tables(a, b):
    expect_equal(sorted(tables_of(a)), sorted(tables_of(b)), "tables")
    for table in tables_of(a):
        same(a, b, table)


def every_shape_of_table_is_a_fixed_point(folder):
    a, b = make_pair(folder, SHAPES)
    a.write(SHAPE_WRITES)
    rest([a, b])
    same_tables(a, b)
    b.write(SHAPE_CHANGES)
    rest([a, b])
    same_tables(a, b)
    expect_equal(b.rows("SELECT k FROM nocase ORDER BY k"), [(b"KEY",), (b"other",)], "nocase")
    a.run("history", "texts", "a")
    a.run("history", "nocase", "KEY")


def databases_of_different_encodings_agree(folder):
    """A UTF-16 founder, a UTF-8 newcomer, and the other way round."""
    columns = [f"c{i}" for i in range(len(TYPES))]
    declared = ", ".join(f"{name} {kind}" for name, kind in zip(columns, TYPES))
    schema = f"CREATE TABLE v (id INTEGER PRIMARY KEY, {declared}, late);"
    for founder, newcomer in (("UTF-16le", "UTF-8"), ("UTF-8", "UTF-16be")):
        place = folder / founder
        a, b = make_pair(place, f"PRAGMA encoding = '{founder}'; {schema}",
                         lambda node, encoding=newcomer:
                         node.script(f"PRAGMA encoding = '{encoding}'; {schema}"))
        for node in (a, b):
            first = 0 if node is a else 1000
            node.write([f"INSERT INTO v SELECT {first + i}, {', '.join(['x'] * len(TYPES))}, "
                        f"NULL FROM (SELECT {value} AS x)" for i, value in enumerate(VALUES)])
        rest([a, b])
        b.write("UPDATE v SET late = 'touched'")
        rest([a, b])
        same(a, b, "v")


def the_log_has_the_old_values_of_changed_columns_only(folder):
    a, _ = make_pair(folder, "CREATE TABLE t (id INTEGER PRIMARY KEY, a, b, c BLOB, d TEXT);")
    a.write("INSERT INTO t VALUES (1, 'a', 2, x'00ff', NULL), (2, 1, 2, 3, 4)")
    a.run("capture")
    a.write("UPDATE t SET a = a, b = 3, d = 'd' WHERE id = 1")
    a.run("capture")
    a.write(["UPDATE t SET a = 'x' WHERE id = 1", "UPDATE t SET a = 'a' WHERE id = 1"])
    expect_equal(a.run("capture", "--json").json()["entries"], 0, "a write that undid itself")
    a.write("UPDATE t SET d = d, c = c")
    expect_equal(a.run("capture", "--json").json()["entries"], 0, "a write of the same")
    a.write("DELETE FROM t WHERE id = 1")
    a.run("capture")
    found = [(change["op"], change.get("row"), change.get("old"))
             for entry in a.log("--table", "t") for change in entry["changes"]
             if change["key"] == {"id": 1}]
    blob = {"blob64": base64.b64encode(b"\0\xff").decode()}
    expect_equal(found, [
        ("insert", {"id": 1, "a": "a", "b": 2, "c": blob, "d": None}, None),
        ("update", {"id": 1, "a": "a", "b": 3, "c": blob, "d": "d"}, {"b": 2, "d": None}),
        ("delete", None, {"id": 1, "a": "a", "b": 3, "c": blob, "d": "d"}),
    ], "changes of the row")


def a_column_that_only_one_node_has_keeps_its_value(folder):
    a, b = make_pair(folder, "CREATE TABLE t (id INTEGER PRIMARY KEY, x);",
                     lambda node: node.script(
                         "CREATE TABLE t (own TEXT DEFAULT 'mine', id INTEGER PRIMARY KEY, x);"))
    a.write("INSERT INTO t VALUES (1, 'one'), (2, 'two')")
    rest([a, b])
    b.write("UPDATE t SET own = 'kept' WHERE id = 1")
    settle([a, b], folder / "shared")
    a.write("UPDATE t SET x = 'changed'")
    settle([a, b], folder / "shared")
    expect_equal(b.rows("SELECT id, x, own FROM t"),
                 [(1, b"changed", b"kept"), (2, b"changed", b"mine")], "rows of b")
    expect_equal(a.rows("SELECT * FROM t"), [(1, b"changed"), (2, b"changed")], "rows of a")
    # What is in that column and a cannot hold waits there for the column.
    b.write("INSERT INTO t VALUES ('third', 3, 'three'), (NULL, 4, 'four')")
    settle([a, b], folder / "shared")
    expect_equal(a.rows("SELECT id FROM t"), [(1,), (2,), (4,)], "rows that a can hold")
    a.write("UPDATE t SET x = 'again' WHERE id = 4")
    a.script("ALTER TABLE t ADD COLUMN own TEXT")
    rest([a, b])
    for node in (a, b):
        expect_equal(node.rows("SELECT id, x, own FROM t WHERE id > 2"),
                     [(3, b"three", b"third"), (4, b"again", None)], f"rows of {node.name}")
    expect_equal(b.rows("SELECT own FROM t WHERE id < 3"), [(b"kept",), (b"mine",)], "kept")


def what_a_schema_lacks_waits_for_it(folder):
    a, b = make_pair(folder, "CREATE TABLE t (id INTEGER PRIMARY KEY, x);"
                             "CREATE TABLE u (id INTEGER PRIMARY KEY, x);")
    b.script("DROP TABLE u")
    a.script("ALTER TABLE t ADD COLUMN y")
    a.write(["INSERT INTO t VALUES (1, 'fits', NULL)", "INSERT INTO t VALUES (2, 'not', 'yet')",
             "INSERT INTO u VALUES (1, 'nowhere')"])
    settle([a, b], folder / "shared")
    waiting = {(row["table"], row["key"]["id"]): row["message"]
               for row in b.run("quarantine", "list", "--json").json_lines()}
    expect_equal(sorted(waiting), [("t", 2), ("u", 1)], "quarantined")
    expect("y" in waiting["t", 2] and "column" in waiting["t", 2], waiting["t", 2])
    expect("u" in waiting["u", 1] and "table" in waiting["u", 1], waiting["u", 1])
    expect_equal(b.rows("SELECT id FROM t"), [(1,)], "what fits is there")
    b.check()
    b.script("ALTER TABLE t ADD COLUMN y")
    settle([a, b], folder / "shared")
    expect_equal(b.rows("SELECT * FROM t"), a.rows("SELECT * FROM t"), "t")
    b.script("CREATE TABLE u (id INTEGER PRIMARY KEY, x)")
    settle([a, b], folder / "shared")
    rest([a, b])
    same_tables(a, b)
    # A stricter schema: the database's own message.
    b.script("CREATE TRIGGER picky BEFORE INSERT ON t WHEN NEW.id = 99 "
             "BEGIN SELECT RAISE(ABORT, 'not 99'); END; DROP TABLE u; "
             "CREATE TABLE u (id INTEGER PRIMARY KEY, x CHECK (x <> 'bad'));")
    a.write(["INSERT INTO u VALUES (5, 'bad')", "INSERT INTO u VALUES (6, 'good')"])
    settle([a, b], folder / "shared")
    (row,) = b.run("quarantine", "list", "--json").json_lines()
    expect("CHECK" in row["message"], row["message"])
    expect_equal(b.rows("SELECT id FROM u WHERE id > 4"), [(6,)], "what fits")
    a.write("UPDATE u SET x = 'better' WHERE id = 5")
    settle([a, b], folder / "shared")
    rest([a, b])


main([every_value_in_every_type_is_a_fixed_point, a_value_changes_into_any_other,
      large_values_travel, every_shape_of_table_is_a_fixed_point,
      databases_of_different_encodings_agree,
      the_log_has_the_old_values_of_changed_columns_only,
      a_column_that_only_one_node_has_keeps_its_value, what_a_schema_lacks_waits_for_it])
