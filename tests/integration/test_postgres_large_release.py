"""A table of many rows, and a transaction that changes them all, from Postgres to Postgres:
snapshot, bootstrap, capture and apply, no process with more than 256 MiB of anonymous memory.
With ROWFERRY_LONG=1 there are 5,000,000 rows."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from measured import measure  # noqa: E402
from postgres import Cluster  # noqa: E402
from postgres_node import PostgresNode  # noqa: E402
from rowferry import LONG, expect_equal, main  # noqa: E402

ROWS = 5000000 if LONG else 100000
LIMIT_MIB = 256
SUMS = "SELECT count(*), sum(id), sum(value), count(DISTINCT station) FROM reading"
CLUSTER = None


def many_rows(folder):
    print(f"{ROWS} rows, at most {LIMIT_MIB} MiB")
    shared = folder / "shared"
    shared.mkdir()
    one, two = (PostgresNode(folder, name, CLUSTER) for name in ("one", "two"))
    one.script("CREATE TABLE reading (id bigint PRIMARY KEY, station text NOT NULL,"
               " at timestamptz, value double precision);"
               "INSERT INTO reading SELECT i, 'station ' || i % 1000,"
               f" '2026-01-01T00:00:00Z', i * 0.5 FROM generate_series(1, {ROWS}) i")
    measure(one, LIMIT_MIB, "init", one.url, "--name", "one")
    one.run("token", folder / "token")
    measure(one, LIMIT_MIB, "sync", shared)
    two.init("--join", folder / "token", "--create-tables")
    said = measure(two, LIMIT_MIB, "sync", shared, "--json").json()
    expect_equal(said["received"]["changes"], ROWS, "rows received")
    expect_equal(two.rows(SUMS), one.rows(SUMS), "rows after the bootstrap")
    two.write("UPDATE reading SET value = value + 1")
    said = measure(two, LIMIT_MIB, "sync", shared, "--json").json()
    expect_equal((said["captured"]["changes"], said["sent"]["changes"]), (ROWS, ROWS),
                 "changes of the transaction")
    said = measure(one, LIMIT_MIB, "sync", shared, "--json").json()
    expect_equal(said["applied"]["rows"], ROWS, "rows applied")
    expect_equal(one.rows(SUMS), two.rows(SUMS), "rows after the transaction")
    said = measure(one, LIMIT_MIB, "capture", "--json").json()
    expect_equal(said["entries"], 0, "captured again")
    measure(one, LIMIT_MIB, "diff")


if __name__ == "__main__":
    with Cluster(in_memory=not LONG) as CLUSTER:
        main([many_rows], size_max=(24 if LONG else 1) << 30)
