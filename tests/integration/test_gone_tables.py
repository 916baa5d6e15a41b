#!/usr/bin/env python3
"""Tables that the log knows and the database has not: what diff says of them."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support"))
from rowferry import expect, expect_equal, main, make_pair, settle  # noqa: E402

ITEM = "SELECT * FROM item ORDER BY id"


def diff(node, code=0, *words):
    """Lines but the counts, and these."""
    *lines, counts = node.run("diff", *words, "--json", code=code).json_lines()
    expect_equal(counts.pop("kind"), "counts", "the last line")
    return lines, counts


def test_a_dropped_table_is_named_until_resync_fills_it(folder):
    a, _ = make_pair(folder)
    a.write("DELETE FROM part WHERE id = 'q'")
    a.run("capture")
    kept = a.rows(ITEM)
    schema = a.rows("SELECT sql FROM sqlite_schema WHERE name = 'item'")[0][0].decode()
    a.write("DROP TABLE item")
    for _ in range(2):
        lines, counts = diff(a, 1)
        expect_equal(lines, [{"kind": "gone", "table": "item", "rows": 3,
                              "why": "the database has no such table"}], "lines")
        expect_equal((counts["gone"], counts["missing"], counts["tables"]), (3, 0, 1), "counts")
        a.run("capture")
        a.run("apply")
    said = a.run("diff", code=1)
    expect("gone item: 3 rows: the database has no such table; once it is made again, `rowferry resync`"
           in said.output and "3 rows are not as the log has it" in said.errors, str(said))
    a.write(schema)
    a.run("resync")
    expect_equal(a.rows(ITEM), kept, "item")
    a.check()


def test_a_parked_row_of_a_dropped_table_is_counted_as_parked(folder):
    a, b = make_pair(folder)
    a.write("INSERT INTO item VALUES (8, 'same', 8)")
    a.run("capture")
    b.write("INSERT INTO item VALUES (9, 'same', 9)")
    settle([a, b], folder / "shared")
    b.write("DROP TABLE item")
    lines, counts = diff(b, 1)
    expect_equal((lines[0]["rows"], counts["gone"], counts["parked"]), (4, 4, 1), "rows")


def test_another_database_without_the_table(folder):
    a, b = make_pair(folder)
    b.write("DROP TABLE part")
    lines, counts = diff(a, 1, f"sqlite:{b.database}")
    expect_equal([(line["kind"], line["table"], line["rows"]) for line in lines],
                 [("gone", "part", 2)], "lines")
    expect_equal(counts["rows"], 3, "rows that were compared")


def test_a_table_that_has_lost_its_key(folder):
    a, _ = make_pair(folder)
    a.write(["ALTER TABLE part RENAME TO old", "CREATE TABLE part AS SELECT * FROM old",
             "DROP TABLE old"])
    lines, counts = diff(a, 1)
    expect_equal((lines[0]["kind"], lines[0]["table"], lines[0]["rows"]), ("gone", "part", 2), "part")
    expect("key" in lines[0]["why"], str(lines))


def test_rows_for_which_there_never_was_a_table_are_quarantined(folder):
    _, b = make_pair(folder, prepare_b=lambda b: b.script("CREATE TABLE item (id INTEGER PRIMARY KEY,"
                                                          " name TEXT UNIQUE, n INTEGER)"))
    lines, counts = diff(b)
    expect_equal((lines, counts["quarantined"], counts["gone"]), ([], 2, 0), "part")
    expect_equal(b.run("status", "--json").json()["quarantined"], 2, "status")


def test_what_comes_for_a_dropped_table_is_quarantined_one_by_one(folder):
    a, b = make_pair(folder)
    b.write("DROP TABLE item")
    a.write(["UPDATE item SET n = 10 WHERE id = 1", "INSERT INTO item VALUES (4, 'four', 4)"])
    settle([a, b], folder / "shared")
    lines, counts = diff(b, 1)
    expect_equal((lines[0]["rows"], counts["gone"], counts["quarantined"]), (3, 3, 2), "item")


def test_a_table_that_is_left_out_is_no_difference(folder):
    """Before the next apply knows of it, too."""
    a, _ = make_pair(folder)
    a.write("DROP TABLE part")
    settings = a.store / "rowferry.ini"
    settings.write_text("tables = item\n" + settings.read_text())
    for _ in range(2):
        lines, counts = diff(a)
        expect_equal((lines, counts["gone"], counts["quarantined"]), ([], 0, 0), "counts")
        a.run("apply")


main([test_a_dropped_table_is_named_until_resync_fills_it,
      test_a_parked_row_of_a_dropped_table_is_counted_as_parked,
      test_another_database_without_the_table,
      test_a_table_that_has_lost_its_key,
      test_rows_for_which_there_never_was_a_table_are_quarantined,
      test_what_comes_for_a_dropped_table_is_quarantined_one_by_one,
      test_a_table_that_is_left_out_is_no_difference])
