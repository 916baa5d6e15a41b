#!/usr/bin/env python3
"""Tables with as many columns as SQLite allows."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support"))
from rowferry import LONG, Node, expect_equal, main  # noqa: E402

MOST = 2000


def wide(name, *columns, options=""):
    columns += tuple(f"c{i}" for i in range(len(columns), MOST))
    return f"CREATE TABLE {name} ({', '.join(columns)}) {options};"


def founder(folder, schema):
    (folder / "shared").mkdir()
    a = Node(folder, "a")
    a.script(schema)
    a.init()
    return a


def test_diff_finds_what_is_changed(folder):
    key = "id INTEGER PRIMARY KEY"
    a = founder(folder, wide("one", key, "name TEXT UNIQUE", options="WITHOUT ROWID") +
                wide("child", key, "one INTEGER REFERENCES one(id)") +
                "INSERT INTO one (id, name, c1999) VALUES (1, 'a', 1), (2, 'b', NULL);"
                "INSERT INTO child (id, one) VALUES (1, 1), (2, NULL);")
    a.write([f"UPDATE {table} SET c1999 = 7 WHERE id = 1" for table in ("one", "child")])
    *lines, counts = a.run("diff", "--json", code=1).json_lines()
    expect_equal([(line["kind"], line["table"], line.get("columns")) for line in lines],
                 [("lacking", "child", None), ("changed", "child", ["c1999"]),
                  ("changed", "one", ["c1999"])], "lines")
    expect_equal((counts["rows"], counts["changed"]), (4, 2), "counts")


def test_rows_are_parked_and_come_back(folder):
    a = founder(folder, wide("one", "id INTEGER PRIMARY KEY", "name TEXT UNIQUE") +
                "INSERT INTO one (id, name) VALUES (1, 'first'), (2, 'second');")
    a.run("token", folder / "token")
    a.sync(folder / "shared")
    b = Node(folder, "b")
    b.init("--join", folder / "token", "--create-tables")
    b.sync(folder / "shared")
    a.write("INSERT INTO one (id, name, c1999) VALUES (10, 'same', 10)")
    a.sync(folder / "shared")
    b.write("INSERT INTO one (id, name, c1999) VALUES (11, 'same', 11)")
    for row in (10, 11):
        b.sync(folder / "shared")
        expect_equal(b.rows("SELECT id, name, c1999 FROM one ORDER BY id"),
                     [(1, b"first", None), (2, b"second", None), (row, b"same", row)], "b")
        if not LONG:
            break
        b.check()
        a.write("DELETE FROM one WHERE id = 10")
        a.sync(folder / "shared")


main([test_diff_finds_what_is_changed,
      test_rows_are_parked_and_come_back])
