"""--create-tables brings the fleet's triggers along, but for those that would stop the
application's writes here: each of these is named."""

import pathlib
import sqlite3
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from rowferry import Node, expect, expect_equal, main  # noqa: E402

SCHEMA = """
CREATE TABLE audit (what);
CREATE TABLE part (id INTEGER PRIMARY KEY, v, twice GENERATED ALWAYS AS (v * 2));
CREATE TABLE copy (id INTEGER PRIMARY KEY, v);
CREATE TABLE bare (id INTEGER PRIMARY KEY, v);
CREATE TRIGGER "to ""audit" AFTER INSERT ON part BEGIN INSERT INTO audit VALUES (new.id); END;
CREATE TRIGGER first_copy AFTER INSERT ON part BEGIN INSERT INTO copy VALUES (new.id, 1); END;
CREATE TRIGGER then_copy AFTER INSERT ON part BEGIN
    UPDATE copy SET v = v * 10 WHERE id = new.id; END;
CREATE TRIGGER v_only AFTER UPDATE OF v ON part WHEN new.v > 5 BEGIN DELETE FROM audit; END;
CREATE TRIGGER copy_gone AFTER DELETE ON copy BEGIN DELETE FROM part WHERE id = old.id; END;
CREATE TRIGGER copy_seen BEFORE DELETE ON copy BEGIN INSERT INTO audit VALUES (old.id); END;
CREATE TRIGGER no_seven BEFORE INSERT ON copy WHEN new.id = 7 BEGIN
    SELECT raise(ABORT, 'not 7'); END;
CREATE TRIGGER by_function AFTER INSERT ON bare BEGIN SELECT application_only(new.id); END;
"""
LEFT = {'to "audit': "part", "v_only": "part", "copy_seen": "copy"}


def join(folder, prepare=""):
    a, b = Node(folder, "a"), Node(folder, "b")
    a.script(SCHEMA)
    a.write("INSERT INTO part (id, v) VALUES (1, 1)")
    a.init()
    (folder / "shared").mkdir()
    a.run("token", folder / "token")
    a.sync(folder / "shared")
    if prepare:
        b.script(prepare)
    b.init("--join", folder / "token", "--create-tables")
    return a, b, b.sync(folder / "shared")


def triggers(node):
    """By table, and in the order in which they were made: it says which fires first."""
    return [row[0].decode() for row in node.rows("SELECT name FROM sqlite_schema"
                                                 " WHERE type = 'trigger'"
                                                 " ORDER BY tbl_name, rowid")]


def what_would_stop_writes_is_left_out_and_named(folder):
    a, b, said = join(folder)
    expect_equal(triggers(b), [name for name in triggers(a) if name not in LEFT], "triggers")
    told = [line for line in said.errors.splitlines() if "left out" in line]
    expect_equal(len(told), len(LEFT), str(said))
    for name, table in LEFT.items():
        line = next(line for line in told if f"trigger {name} of table {table} " in line)
        expect("no such table: main.audit; make what it lacks here" in line, line)
    b.write("INSERT INTO part (id, v) VALUES (5, 5)")
    b.write("UPDATE part SET v = 6 WHERE id = 5")
    expect_equal(b.rows("SELECT * FROM copy WHERE id = 5"), [(5, 1)], "what a trigger wrote")
    b.write("DELETE FROM copy WHERE id = 5")
    expect_equal(b.rows("SELECT count(*) FROM part"), [(1,)], "parts")
    try:
        b.write("INSERT INTO copy VALUES (7, 7)")
        expect(False, "no_seven did not fire")
    except sqlite3.Error as error:
        expect("not 7" in str(error), str(error))
    again = b.sync(folder / "shared")
    expect("left out" not in again.errors, str(again))
    a.sync(folder / "shared")
    for node in (a, b):
        node.run("diff")


def what_is_there_already_is_enough(folder):
    a, b, said = join(folder, "CREATE TABLE audit (what);"
                              "CREATE TABLE own (x);"
                              "CREATE TRIGGER own_one AFTER INSERT ON own BEGIN"
                              " INSERT INTO nowhere VALUES (1); END;")
    expect_equal(sorted(triggers(b)), sorted(["own_one", *triggers(a)]), "triggers")
    expect("left out" not in said.errors, str(said))


main([what_would_stop_writes_is_left_out_and_named, what_is_there_already_is_enough])
