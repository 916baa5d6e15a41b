"""The Postgres rows of tests/bench/run: rowferry beside what the server has itself.

Two throwaway clusters without fsync, on a RAM disk where there is one: a source, and a target
that has three databases with the same table: rowferry's, a subscription's, and one that is
merged into."""

import glob
import math
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from measure import BUILD, median, rate, rowferry, timed  # noqa: E402
from postgres import Cluster  # noqa: E402

SETTINGS = {"shared_buffers": "256MB", "max_wal_size": "4GB", "autovacuum": "off",
            "timezone": "UTC", "datestyle": "ISO", "extra_float_digits": 1}
TABLE = "CREATE TABLE item (id integer PRIMARY KEY, n integer, text text)"
TEXT = "'the text of row ' || i || ', which has some fifty-five bytes'"
# Each row is written once: in the order of the key, or far from the one before.
WRITE = f"""
CREATE PROCEDURE write(work text, count integer, step bigint, batch integer)
LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. count LOOP
        IF work = 'insert' THEN
            INSERT INTO item VALUES (i, i, {TEXT});
        ELSE
            UPDATE item SET n = -i, text = {TEXT.replace("the", "now")}
            WHERE id = 1 + i * step % count;
        END IF;
        IF i % batch = 0 THEN COMMIT; END IF;
    END LOOP;
END $$"""
MERGE = {"insert": "INSERT INTO item SELECT * FROM given ON CONFLICT (id)"
                   " DO UPDATE SET n = excluded.n, text = excluded.text",
         "update": "UPDATE item SET n = given.n, text = given.text FROM given"
                   " WHERE item.id = given.id"}
MARK = "INSERT INTO item VALUES (0, 0, 'the last')"


def program(name):
    """One that comes with the server: beside it, or where the system has it."""
    found = shutil.which(name) or max(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"),
                                      default=None)
    if found is None:
        sys.exit(f"bench: no {name} here: it comes with the Postgres server")
    return found


class Pair:
    """Source and target, with everything that reads the source's WAL at one place of it."""

    def __init__(self, folder, source, target, work, rows):
        self.folder, self.source, self.target = folder, source, target
        self.work, self.rows = work, rows
        self.here, self.there = folder / "here", folder / "there"
        with source.connect("postgres") as connection:
            connection.run("CREATE DATABASE bench")
        with target.connect("postgres") as connection:
            for name in ("ours", "theirs", "merged"):
                connection.run(f"CREATE DATABASE {name}")
        for cluster, name in ((source, "bench"), (target, "theirs"), (target, "merged")):
            with cluster.connect(name) as connection:
                connection.run(TABLE)
                if work == "update":
                    connection.run(f"INSERT INTO item SELECT i, i, {TEXT}"
                                   f" FROM generate_series(1, {rows}) i")
                connection.run("VACUUM ANALYZE item")
        self.join()
        with source.connect("bench") as connection:
            connection.run(WRITE)
            self.slot = connection.value("SELECT slot_name FROM pg_replication_slots"
                                         " WHERE database = 'bench'")
        self.subscribe()

    def join(self):
        for place in (self.here, self.there, self.folder / "shared"):
            place.mkdir()
        shared = self.folder / "shared"
        rowferry(self.here, "init", self.source.url_of("bench"), "--name", "here")
        rowferry(self.here, "token", self.folder / "token")
        rowferry(self.here, "sync", shared)
        rowferry(self.there, "init", self.target.url_of("ours"), "--name", "there", "--join",
                 self.folder / "token", "--create-tables", "--from", shared)
        rowferry(self.here, "sync", shared)
        rowferry(self.there, "sync", shared)

    def subscribe(self):
        with self.source.connect("bench") as connection:
            connection.run("CREATE PUBLICATION bench FOR TABLE item")
        with self.target.connect("theirs") as connection:
            connection.run("CREATE SUBSCRIPTION bench CONNECTION"
                           f" 'host={self.source.folder} user=postgres dbname=bench'"
                           " PUBLICATION bench WITH (copy_data = off, enabled = off)")

    def copy_slot(self, name, new):
        with self.source.connect("bench") as connection:
            connection.run(f"SELECT pg_copy_logical_replication_slot('{name}', '{new}')")

    def drop_slot(self, name):
        with self.source.connect("bench") as connection:
            connection.run(f"SELECT pg_drop_replication_slot('{name}')")

    def write(self, batch):
        step = int(self.rows * 0.6180339887) | 1
        while math.gcd(step, self.rows) != 1:
            step += 2
        with self.source.connect("bench") as connection:
            connection.run("SET synchronous_commit = off")
            connection.run(f"CALL write('{self.work}', {self.rows}, {step}, {batch})")
            connection.run(MARK)
            return connection.value("SELECT pg_current_wal_flush_lsn()")

    def close(self):
        with self.target.connect("theirs") as connection:
            connection.run("DROP SUBSCRIPTION bench")
        with self.source.connect("postgres") as connection:
            connection.run("SELECT pg_drop_replication_slot(slot_name)"
                           " FROM pg_replication_slots")
            connection.run("DROP DATABASE bench")
        with self.target.connect("postgres") as connection:
            connection.run("SELECT pg_drop_replication_slot(slot_name)"
                           " FROM pg_replication_slots")
            for name in ("ours", "theirs", "merged"):
                connection.run(f"DROP DATABASE {name}")


def run_capture(pair, batch, lsn, turns):
    """Both from the same place of the WAL; the last capture is what is shipped then."""
    publication = pair.slot  # they have one name
    store, kept = pair.here / "store", pair.here / "kept"
    theirs, ours = [], []
    pair.copy_slot(pair.slot, "kept")
    shutil.copytree(store, kept)
    for _ in range(turns):
        pair.copy_slot("kept", "read")
        theirs.append(timed(program("pg_recvlogical"), "--dbname",
                            pair.source.url_of("bench"), "--slot", "read", "--start",
                            "--endpos", lsn, "--no-loop", "--file", "/dev/null",
                            "--option", "proto_version=1", "--option", "messages=true",
                            "--option", f"publication_names={publication}"))
        pair.drop_slot("read")
        if ours:
            shutil.rmtree(store)
            shutil.copytree(kept, store)
            pair.drop_slot(pair.slot)
            pair.copy_slot("kept", pair.slot)
        ours.append(rowferry(pair.here, "capture"))
    wall, cpu = median(ours)
    other = median(theirs)[0]
    print(f"pg capture  {pair.work:6} {batch:5}  pg_recvlogical {rate(pair.rows, other)}"
          f"  rowferry {rate(pair.rows, wall)} rows/s  {other / wall:.2f} by wall"
          f"  (its own CPU: {rate(pair.rows, cpu)} rows/s)", flush=True)
    return wall


def wait_for_last(connection, goes_on=lambda: True):
    while not connection.run("SELECT FROM item WHERE id = 0"):
        if not goes_on():
            sys.exit("bench: rowferry apply has ended without the last row")
        time.sleep(0.01)


def run_apply(pair):
    """Seconds until the last row is there, as of a subscription; until the command ends, when the
    last batch's echo is in the store, too; and of its CPU."""
    with pair.target.connect("ours") as connection:
        start = time.monotonic()
        process = subprocess.Popen([BUILD / "rowferry", "--store", pair.there / "store", "apply"],
                                   stdout=subprocess.DEVNULL)
        ended = []

        def goes_on():
            if not ended and (found := os.wait4(process.pid, os.WNOHANG))[0] != 0:
                ended.append(found)
            return not ended

        wait_for_last(connection, goes_on)
        there = time.monotonic() - start
        _, status, used = ended[0] if ended else os.wait4(process.pid, 0)
        taken = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"bench: rowferry apply: exit {process.returncode}")
    return there, taken, used.ru_utime + used.ru_stime


def run_subscription(pair):
    """Seconds until the last row is there."""
    with pair.target.connect("theirs") as connection:
        start = time.monotonic()
        connection.run("ALTER SUBSCRIPTION bench ENABLE")
        wait_for_last(connection)
        taken = time.monotonic() - start
        connection.run("ALTER SUBSCRIPTION bench DISABLE")
    return taken


def run_merge(pair):
    """COPY into a temporary table, and one statement."""
    path = pair.source.folder / "rows"
    with pair.source.connect("bench") as connection:
        connection.run(f"COPY item TO '{path}'")
    with pair.target.connect("merged") as connection:
        start = time.monotonic()
        connection.run("BEGIN; CREATE TEMPORARY TABLE given (LIKE item) ON COMMIT DROP;"
                       f"COPY given FROM '{path}'; ANALYZE given; {MERGE[pair.work]}; COMMIT")
        return time.monotonic() - start


def run_catch_up(pair, batch, capture):
    segment = pair.folder / "all.rfs"
    last = subprocess.run([BUILD / "rowferry", "--store", pair.there / "store", "status"],
                          check=True, capture_output=True)
    exported = rowferry(pair.here, "export", segment)
    imported = rowferry(pair.there, "import", segment)
    timings = []
    for run in (run_apply, run_subscription, run_merge):
        for cluster in (pair.source, pair.target):  # nobody pays for what the one before left
            with cluster.connect("postgres") as connection:
                connection.run("CHECKPOINT")
        timings.append(run(pair))
    (there, applied, cpu), subscribed, merged = timings
    whole = capture + exported[0] + imported[0] + there
    with pair.source.connect("bench") as source, pair.target.connect("ours") as ours:
        sql = "SELECT count(*), sum(n), md5(string_agg(text, ',' ORDER BY id)) FROM item"
        if source.run(sql) != ours.run(sql):
            sys.exit(f"bench: the target has other rows than the source: {last.stdout}")
    print(f"pg catch-up {pair.work:6} {batch:5}  subscription {rate(pair.rows, subscribed)}"
          f"  apply {rate(pair.rows, there)}  whole {rate(pair.rows, whole)} rows/s"
          f"  {subscribed / there:.2f} and {subscribed / whole:.2f} by wall"
          f"  (until it ends: {rate(pair.rows, applied)} rows/s, {subscribed / applied:.2f};"
          f" its own CPU: {rate(pair.rows, cpu)} rows/s; export"
          f" {exported[0]:.2f} s, import {imported[0]:.2f} s)", flush=True)
    print(f"pg merge    {pair.work:6} {batch:5}  COPY and merge {rate(pair.rows, merged)}"
          f"  apply {rate(pair.rows, there)} rows/s  {merged / there:.2f} by wall",
          flush=True)


def transactions(cluster, seconds):
    """Those of pgbench, each second."""
    ended = subprocess.run([program("pgbench"), "--no-vacuum", "--client", "4",
                            "--time", str(seconds), cluster.url_of("bank")], check=True,
                           capture_output=True)
    return float(re.search(r"tps = ([\d.]+)", ended.stdout.decode())[1])


def run_bank(folder, cluster, seconds, turns):
    """TPC-B, without and with `rowferry run` beside it."""
    place = folder / "bank"
    place.mkdir()
    with cluster.connect("postgres") as connection:
        connection.run("CREATE DATABASE bank")
    timed(program("pgbench"), "--initialize", "--scale", "10", "--quiet",
          cluster.url_of("bank"))
    with cluster.connect("bank") as connection:
        connection.run("ALTER TABLE pgbench_history ADD id bigserial PRIMARY KEY")
    rowferry(place, "init", cluster.url_of("bank"), "--name", "bank")
    without, beside = [], []
    for _ in range(turns):
        without.append(transactions(cluster, seconds))
        rowferry(place, "capture")
        with subprocess.Popen([BUILD / "rowferry", "--store", place / "store", "run"],
                              stdout=subprocess.DEVNULL) as process:
            beside.append(transactions(cluster, seconds))
            process.terminate()
    before, after = sorted(without)[turns // 2], sorted(beside)[turns // 2]
    print(f"pgbench     TPC-B, 4 clients  alone {before:,.0f}  with capture {after:,.0f}"
          f" transactions/s  {after / before:.2f}", flush=True)


def run_postgres(place, rows, batches, works, seconds, turns):
    with Cluster(**SETTINGS) as source, Cluster(**SETTINGS) as target:
        for work in works:
            for batch in batches:
                with tempfile.TemporaryDirectory(prefix="rowferry-bench-", dir=place) as name:
                    pair = Pair(pathlib.Path(name), source, target, work, rows)
                    lsn = pair.write(batch)
                    capture = run_capture(pair, batch, lsn, turns)
                    run_catch_up(pair, batch, capture)
                    pair.close()
        with tempfile.TemporaryDirectory(prefix="rowferry-bench-", dir=place) as name:
            run_bank(pathlib.Path(name), source, seconds, turns)
