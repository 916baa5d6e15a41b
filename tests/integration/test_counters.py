#!/usr/bin/env python3
"""AUTOINCREMENT: a number that a row of any node has or had is not given again here, also
where that row never was in this database."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support"))
from rowferry import expect_equal, main, make_pair, settle  # noqa: E402

SCHEMA = """
CREATE TABLE item (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE,
                   parent INTEGER REFERENCES item(id));
"""


def next_id(node):
    node.write("INSERT INTO item (name) VALUES (hex(randomblob(8)))")
    node.run("capture")
    return node.rows("SELECT max(seq) FROM sqlite_sequence WHERE name = 'item'")[0][0]


def met(folder, *steps, schema=SCHEMA, prepare=None):
    """A pair; what a does in steps, each captured, comes to b at once."""
    a, b = make_pair(folder, schema)
    if prepare is not None:
        prepare(b)
    for sql in steps:
        a.write(sql)
        a.run("capture")
    settle([a, b], folder / "shared")
    return a, b


def test_past_a_row_that_came(folder):
    a, b = met(folder, "INSERT INTO item VALUES (10, 'x', NULL), (-5, 'y', NULL)")
    expect_equal(next_id(b), 11, "its next number")
    b.check()


def test_past_a_row_that_was_deleted_before_it_came(folder):
    a, b = met(folder, "INSERT INTO item VALUES (10, 'x', NULL)", "DELETE FROM item")
    expect_equal(b.rows("SELECT * FROM sqlite_sequence"), [(b"item", 10)], "its counter")
    expect_equal(next_id(b), 11, "its next number")
    settle([a, b], folder / "shared")
    expect_equal(next_id(a), 12, "the other's")
    for node in (a, b):
        node.check()


def test_past_a_key_that_a_row_had(folder):
    a, b = met(folder, "INSERT INTO item VALUES (10, 'x', NULL)", "UPDATE item SET id = 20",
               "UPDATE item SET id = 3")
    expect_equal(next_id(b), 21, "its next number")


def test_past_rows_that_wait(folder):
    a, b = met(folder, "INSERT INTO item VALUES (10, 'same', NULL)",
               prepare=lambda node: (node.write("INSERT INTO item VALUES (1, 'same', NULL)"),
                                     node.run("capture")))
    expect_equal(b.rows("SELECT id FROM item"), [(1,)], "the other one is parked")
    expect_equal(next_id(b), 11, "its next number")


def test_past_rows_that_are_refused(folder):
    def be_strict(node):
        node.script("""CREATE TRIGGER refuse BEFORE INSERT ON item WHEN NEW.id > 5
                       BEGIN SELECT RAISE(ABORT, 'no'); END;""")
        settings = node.store / "rowferry.ini"
        settings.write_text(settings.read_text() + "triggers = on\n")

    a, b = met(folder, "INSERT INTO item VALUES (10, 'x', NULL)", prepare=be_strict)
    expect_equal(len(b.run("quarantine", "--json").json_lines()), 1, "in quarantine")
    b.write("DROP TRIGGER refuse")
    expect_equal(next_id(b), 11, "its next number")


def test_a_counter_never_goes_back(folder):
    a, b = met(folder, "INSERT INTO item VALUES (10, 'x', NULL)",
               prepare=lambda node: node.write(["INSERT INTO item VALUES (50, 'y', NULL)",
                                                "DELETE FROM item"]))
    expect_equal(next_id(b), 51, "its next number")


def test_after_a_restored_database_was_rewritten(folder):
    a, b = met(folder, "INSERT INTO item VALUES (10, 'x', NULL)")
    before = b.database.read_bytes()
    b.write("INSERT INTO item VALUES (30, 'z', NULL)")
    b.run("capture")
    b.write("DELETE FROM item WHERE id = 30")
    b.run("capture")
    b.database.write_bytes(before)
    b.run("resync")
    expect_equal(next_id(b), 31, "its next number")
    b.check()


main([test_past_a_row_that_came, test_past_a_row_that_was_deleted_before_it_came,
      test_past_a_key_that_a_row_had, test_past_rows_that_wait, test_past_rows_that_are_refused,
      test_a_counter_never_goes_back, test_after_a_restored_database_was_rewritten])
