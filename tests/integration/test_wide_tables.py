#!/usr/bin/env python3
"""Tables with as many columns as SQLite allows."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support"))
from rowferry import expect_equal, main, make_pair  # noqa: E402

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


main([test_diff_finds_what_is_changed])
