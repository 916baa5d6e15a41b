#!/usr/bin/env python3
"""Rows that a database refuses: tried again, or given up for what the database has."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support"))
from rowferry import expect, expect_equal, main, make_pair, settle  # noqa: E402

ITEM = "SELECT * FROM item ORDER BY id"
STRICTER = ("PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql,"
            " 'n INTEGER', 'n INTEGER CHECK (n < 100)') WHERE name = 'item';")


def strict_pair(folder, sql):
    """A pair of which b takes no n of 100 and more; a has written sql, and both have met."""
    a, b = make_pair(folder)
    b.script(STRICTER)
    a.write(sql)
    settle([a, b], folder / "shared")
    return a, b


def listed(node):
    return node.run("quarantine", "--json").json_lines()


def counts(node):
    status = node.run("status", "--json").json()
    return status["conflicts"], status["parked"], status["quarantined"]


def expect_settled(a, b, rows):
    settle([a, b], a.folder / "shared")
    for node in (a, b):
        node.check()
        expect_equal(node.rows(ITEM), rows, node.name)
        expect_equal(counts(node), (0, 0, 0), node.name)


def test_rows_have_numbers_that_stay(folder):
    a, b = strict_pair(folder, ["UPDATE item SET n = 101 WHERE id = 1",
                                "UPDATE item SET n = 103 WHERE id = 3"])
    expect_equal([(row["number"], row["key"]["id"]) for row in listed(b)], [(1, 1), (2, 3)], "numbers")
    expect(b.run("quarantine").output.startswith("1  item (1)  since "), "the list")
    a.write("UPDATE item SET n = 1 WHERE id = 1")
    a.write("UPDATE item SET n = 104 WHERE id = 3")
    settle([a, b], folder / "shared")
    a.write("UPDATE item SET n = 102 WHERE id = 2")
    settle([a, b], folder / "shared")
    expect_equal([(row["number"], row["key"]["id"]) for row in listed(b)], [(3, 2), (2, 3)], "numbers")


def test_retry_says_what_happened(folder):
    a, b = strict_pair(folder, ["UPDATE item SET n = 101 WHERE id = 1",
                                "UPDATE item SET n = 103 WHERE id = 3"])
    before = b.picture()
    expect("tried 2 rows again: 0 left the quarantine, 2 refused" in b.run("quarantine", "retry").output,
           "all")
    one = b.run("quarantine", "retry", "2")
    expect("item (3) is refused: CHECK constraint failed" in one.output, str(one))
    said = b.run("quarantine", "retry", "2", "--json").json()
    expect_equal((said["tried"], said["refused"], said["key"], said["parked"]), (1, 1, {"id": 3}, False),
                 "one")
    expect("CHECK" in said["message"], str(said))
    expect_equal(b.picture(), before, "store and database")
    b.refuse(1, "no row 7 is in quarantine", "quarantine", "retry", "7")
    b.refuse(2, "not a row's number", "quarantine", "drop", "x")
    b.refuse(2, "give list, retry, retry N or drop N", "quarantine", "drop")


def test_retry_after_the_schema_has_changed(folder):
    a, b = strict_pair(folder, ["UPDATE item SET n = 101 WHERE id = 1",
                                "UPDATE item SET n = 150 WHERE id = 3"])
    b.script(STRICTER.replace("'n INTEGER', 'n INTEGER CHECK (n < 100)'", "'n < 100', 'n < 140'"))
    said = b.run("quarantine", "retry", "1", "--json").json()
    expect_equal((said["tried"], said["refused"]), (1, 0), "one")
    expect_equal(b.rows(ITEM), [(1, b"one", 101), (2, b"two", 2), (3, b"three", 3)], "rows")
    b.script(STRICTER.replace("'n INTEGER', 'n INTEGER CHECK (n < 100)'", "'CHECK (n < 140)', ''"))
    expect("tried 1 row again: 1 left the quarantine" in b.run("quarantine", "retry").output, "all")
    expect("nothing is in quarantine" in b.run("quarantine", "retry").output, "none")
    expect_settled(a, b, [(1, b"one", 101), (2, b"two", 2), (3, b"three", 150)])


def test_the_message_is_that_of_the_last_try(folder):
    a, b = strict_pair(folder, "UPDATE item SET n = 101, name = 'x' WHERE id = 1")
    b.script(STRICTER.replace("'n INTEGER', 'n INTEGER CHECK (n < 100)'",
                              "'CHECK (n < 100)', 'CHECK (name <> ''x'')'"))
    b.run("quarantine", "retry")
    expect("name <> 'x'" in listed(b)[0]["message"], str(listed(b)))
    expect_equal(listed(b)[0]["number"], 1, "its number")


def test_drop_keeps_the_row_that_the_database_has(folder):
    a, b = strict_pair(folder, "UPDATE item SET n = 101, name = 'uno' WHERE id = 1")
    b.write("UPDATE item SET n = 77 WHERE id = 2")
    expect_equal(b.rows(ITEM)[0], (1, b"one", 1), "the row as it was")
    said = b.run("quarantine", "drop", "1", "--json").json()
    expect_equal((said["result"], said["key"]), ("kept", {"id": 1}), "said")
    expect_equal(b.rows(ITEM)[0], (1, b"one", 1), "the row as it was")
    entry = b.log()[-1]
    expect_equal((entry["seq"], entry["note"]),
                 (said["seq"], "kept what the database has in place of a refused row"), "the entry")
    expect_equal(entry["changes"][0]["old"], {"name": "uno", "n": 101}, "what it gives up")
    expect_equal(entry["changes"][0].get("unseen"), None, "it has seen it")
    expect_equal(listed(b), [], "quarantine")
    expect_equal(b.run("capture", "--json").json()["changes"], 0, "nothing is left to capture")
    b.check()
    expect_settled(a, b, [(1, b"one", 1), (2, b"two", 77), (3, b"three", 3)])


def test_drop_of_a_row_that_the_database_does_not_have(folder):
    a, b = strict_pair(folder, "INSERT INTO item VALUES (9, 'nine', 900)")
    said = b.run("quarantine", "drop", "1")
    expect("item (9) is deleted on every node" in said.output, str(said))
    expect_settled(a, b, [(1, b"one", 1), (2, b"two", 2), (3, b"three", 3)])


def test_drop_of_a_delete(folder):
    a, b = make_pair(folder)
    b.script("CREATE TRIGGER keep BEFORE DELETE ON item BEGIN SELECT RAISE(ABORT, 'kept'); END")
    settings = b.store / "rowferry.ini"
    settings.write_text(settings.read_text() + "\ntriggers = on\n")
    a.write("DELETE FROM item WHERE id = 2")
    settle([a, b], folder / "shared")
    expect_equal(listed(b)[0]["message"], "kept", "refused")
    b.run("quarantine", "drop", "1")
    expect_settled(a, b, [(1, b"one", 1), (2, b"two", 2), (3, b"three", 3)])


def test_drop_of_a_column_that_is_not_here(folder):
    a, b = make_pair(folder)
    a.script("ALTER TABLE item ADD COLUMN extra; UPDATE item SET extra = 'x' WHERE id = 1")
    settle([a, b], folder / "shared")
    expect("no column named extra" in listed(b)[0]["message"], str(listed(b)))
    b.run("quarantine", "drop", "1")
    settle([a, b], folder / "shared")
    for node in (a, b):
        node.check()
        expect_equal(counts(node), (0, 0, 0), node.name)
    expect_equal(a.rows(ITEM)[0], (1, b"one", 1, b"x"), "a column that only a has")


def test_drop_is_refused_where_the_database_says_nothing(folder):
    a, b = make_pair(folder)
    a.script("CREATE TABLE more (id INTEGER PRIMARY KEY); INSERT INTO more VALUES (1)")
    settle([a, b], folder / "shared")
    before = b.picture()
    b.refuse(1, "this database has no table more", "quarantine", "drop", "1")
    expect_equal(b.picture(), before, "store and database")
    b.script("CREATE TABLE more (id INTEGER PRIMARY KEY)")
    said = b.run("quarantine", "drop", "1")
    expect("has left the quarantine meanwhile" in said.output, str(said))
    expect_equal(b.rows("SELECT * FROM more"), [(1,)], "the row")


def test_a_node_that_only_takes_decides_nothing(folder):
    a, b = strict_pair(folder, "UPDATE item SET n = 101 WHERE id = 1")
    settings = b.store / "rowferry.ini"
    settings.write_text(settings.read_text() + "\n[table item]\ndirection = in\n")
    b.run("run", "--once")
    before = b.picture()
    b.refuse(1, "item: this node only takes it (direction = in)", "quarantine", "drop", "1")
    expect_equal(b.picture(), before, "store and database")


main([test_rows_have_numbers_that_stay,
      test_retry_says_what_happened,
      test_retry_after_the_schema_has_changed,
      test_the_message_is_that_of_the_last_try,
      test_drop_keeps_the_row_that_the_database_has,
      test_drop_of_a_row_that_the_database_does_not_have,
      test_drop_of_a_delete,
      test_drop_of_a_column_that_is_not_here,
      test_drop_is_refused_where_the_database_says_nothing,
      test_a_node_that_only_takes_decides_nothing])
