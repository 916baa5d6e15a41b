"""A transaction of 1,000,000 rows through scan, log, segment, import and apply: no process
has more than 128 MiB of anonymous memory. With ROWFERRY_LONG=1 also one of 5,000,000 rows
and 256 MiB. The same for a node that joins with rows that are otherwise than the fleet's."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from measured import measure  # noqa: E402
from rowferry import LONG, Node, expect_equal, main  # noqa: E402


def carry(folder, row_count, limit_mib):
    """One transaction from a to b."""
    print(f"{row_count} rows, at most {limit_mib} MiB")
    (folder / "shared").mkdir()
    a, b = Node(folder, "a"), Node(folder, "b")
    a.script("CREATE TABLE reading (id INTEGER PRIMARY KEY, station TEXT NOT NULL, at TEXT, "
             "value REAL)")
    a.init()
    a.run("token", folder / "token")
    b.init("--join", folder / "token", "--create-tables")
    a.sync(folder / "shared")
    b.sync(folder / "shared")
    a.sync(folder / "shared")
    a.write("INSERT INTO reading SELECT value, 'station ' || value % 1000, "
            "'2026-01-01T00:00:00', value * 0.5 FROM (WITH RECURSIVE n(value) AS (SELECT 1 "
            f"UNION ALL SELECT value + 1 FROM n LIMIT {row_count}) SELECT value FROM n)")
    said = measure(a, limit_mib, "capture", "--json").json()
    expect_equal(said, {"entries": 1, "changes": row_count}, "captured")
    measure(a, limit_mib, "export", folder / "segment", "--since", "b")
    said = measure(b, limit_mib, "import", folder / "segment", "--json").json()
    expect_equal((said["entries"], said["changes"]), (1, row_count), "imported")
    said = measure(b, limit_mib, "apply", "--json").json()
    expect_equal(said["rows"], row_count, "applied")
    measure(b, limit_mib, "verify")
    if LONG:
        measure(b, limit_mib, "diff")
    sums = "SELECT count(*), sum(id), sum(value), count(DISTINCT station) FROM reading"
    expect_equal(b.rows(sums), a.rows(sums), "rows")
    said = b.run("capture", "--json").json()
    expect_equal(said["entries"], 0, "captured again")


def join(folder, row_count, limit_mib):
    """A node joins with a table of rows that are all otherwise than the fleet's."""
    print(f"{row_count} rows that differ, at most {limit_mib} MiB")
    (folder / "shared").mkdir()
    a, b = Node(folder, "a"), Node(folder, "b")
    for node, value in ((a, "value"), (b, "-value")):
        node.script("CREATE TABLE reading (id INTEGER PRIMARY KEY, station TEXT, value);"
                    "INSERT INTO reading SELECT value, 'station ' || value % 1000, "
                    f"{value} FROM (WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL "
                    f"SELECT value + 1 FROM n LIMIT {row_count}) SELECT value FROM n)")
    a.init()
    a.run("token", folder / "token")
    a.sync(folder / "shared")
    b.init("--join", folder / "token", "--prefer", "fleet")
    said = measure(b, limit_mib, "sync", folder / "shared", "--json").json()
    expect_equal(said["conflicts"], row_count, "conflicts")
    said = measure(a, limit_mib, "sync", folder / "shared", "--json").json()
    expect_equal(said["conflicts"], row_count, "conflicts")
    expect_equal(b.rows("SELECT count(*) FROM reading WHERE value < 0"), [(0,)], "rows")


def a_join_of_many_rows_takes_128_mib(folder):
    join(folder, 2000000 if LONG else 300000, 128)


def a_million_rows_take_128_mib(folder):
    carry(folder, 1000000, 128)


def five_million_rows_take_256_mib(folder):
    carry(folder, 5000000, 256)


main([a_join_of_many_rows_takes_128_mib, a_million_rows_take_128_mib] + ([five_million_rows_take_256_mib] if LONG else []),
     size_max=(24 if LONG else 4) << 30)
