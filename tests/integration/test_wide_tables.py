#!/usr/bin/env python3
"""Tables with as many columns as SQLite allows."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support"))
from rowferry import expect_equal, main, make_pair, settle  # noqa: E402

MOST = 2000


def wide(name, *columns, options=""):
    columns += tuple(f"c{i}" for i in range(len(columns), MOST))
    return f"CREATE TABLE {name} ({', '.join(columns)}) {options};"


def test_diff_finds_what_is_changed(folder):
    key, unique = "id INTEGER PRIMARY KEY", "name TEXT UNIQUE"
    a, _ = make_pair(folder, wide("one", key, unique) + wide("two", key, unique, options="WITHOUT ROWID") +
                     wide("child", key, "one INTEGER REFERENCES one(id)") +
                     "INSERT INTO one (id, name, c1999) VALUES (1, 'a', 1), (2, 'b', NULL);"
                     "INSERT INTO two (id, name, c1999) VALUES (1, 'a', 1), (2, 'b', NULL);"
                     "INSERT INTO child (id, one) VALUES (1, 1), (2, NULL);")
    a.check()
    a.write([f"UPDATE {table} SET c1999 = 7 WHERE id = 1" for table in ("one", "two", "child")])
    *lines, counts = a.run("diff", "--json", code=1).json_lines()
    expect_equal([(line["kind"], line["table"], line.get("columns")) for line in lines],
                 [("lacking", "child", None), ("changed", "child", ["c1999"]),
                  ("changed", "one", ["c1999"]), ("changed", "two", ["c1999"])], "lines")
    expect_equal((counts["rows"], counts["changed"]), (6, 3), "counts")


def test_rows_are_parked_and_come_back(folder):
    a, b = make_pair(folder, wide("one", "id INTEGER PRIMARY KEY", "name TEXT UNIQUE") +
                     "INSERT INTO one (id, name) VALUES (1, 'first'), (2, 'second');")
    a.write("INSERT INTO one (id, name, c1999) VALUES (10, 'same', 10)")
    a.run("capture")
    b.write(["INSERT INTO one (id, name, c1999) VALUES (11, 'same', 11)",
             "UPDATE one SET name = NULL WHERE id = 1", "UPDATE one SET name = 'first' WHERE id = 2",
             "UPDATE one SET name = 'second' WHERE id = 1"])
    settle([a, b], folder / "shared")
    for wanted in ([(1, b"second", None), (2, b"first", None), (10, b"same", 10)],
                   [(1, b"second", None), (2, b"first", None), (11, b"same", 11)]):
        for node in (a, b):
            node.check()
            expect_equal(node.rows("SELECT id, name, c1999 FROM one ORDER BY id"), wanted, node.name)
        a.write("DELETE FROM one WHERE id = 10")
        settle([a, b], folder / "shared")


main([test_diff_finds_what_is_changed,
      test_rows_are_parked_and_come_back])
