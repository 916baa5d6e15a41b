"""A batch is written while the echo of the one before is still being read: it is, nobody waits for
it without end, and rows that both have written end as the log says."""

import contextlib
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

import postgres_pairs as pairs  # noqa: E402
from postgres import Cluster  # noqa: E402
from rowferry import BINARY, expect, expect_equal, main  # noqa: E402

SEED = int(os.environ.get("ROWFERRY_SEED") or random.SystemRandom().randrange(1 << 32))
DEADLINE = 60  # seconds for what takes far less
WRITING = """
    SELECT count(*) FROM pg_stat_activity a JOIN pg_locks l USING (pid)
    WHERE l.relation = 'spot'::regclass AND l.mode = 'RowExclusiveLock' AND l.granted
    AND a.state = 'idle in transaction' AND EXISTS (SELECT FROM spot WHERE id = 2 AND n = 20)"""


def wait_for(what, asked):
    until = time.monotonic() + DEADLINE
    while not asked():
        expect(time.monotonic() < until, what)


def make(folder, batch):
    shop, stall = pairs.make_pair(folder, """
        CREATE TABLE spot (id integer PRIMARY KEY, n integer, word text);
        INSERT INTO spot SELECT i, 0, 'old' FROM generate_series(1, 6) i;""")
    pairs.settle(folder, [shop, stall])
    shop.set_line("batch", batch)
    return shop, stall


def bring(folder, shop, stall):
    """What the stall has written is in the shop's store, and waits to be applied."""
    stall.run("export", folder / "segment")
    shop.run("import", folder / "segment")
    (folder / "segment").unlink()


def same(folder, shop, stall, what):
    pairs.settle(folder, [shop, stall])
    pairs.expect_same(shop, stall, "spot", ["id", "n", "word"], ["integer", "integer", "text"],
                      ["id"], what)
    shop.check()
    expect_equal(shop.inspect()["repair"], 0, f"rows to repair: {what}")


@contextlib.contextmanager
def unread(folder, shop, stall):
    """rowferry apply: its first batch is committed, and the server's sender, which is to tell it,
    stopped, until what is in here is over."""
    for sql in ("UPDATE spot SET n = 10 WHERE id = 1", "UPDATE spot SET n = 20 WHERE id = 2",
                "INSERT INTO spot VALUES (7, 70, 'new')", "UPDATE spot SET n = 21 WHERE id = 2",
                "DELETE FROM spot WHERE id = 1"):
        stall.write(sql)
        stall.run("capture")
    bring(folder, shop, stall)
    sender = None
    with shop.connect() as connection:
        connection.run("BEGIN")
        connection.run("SELECT FROM spot WHERE id = 2 FOR UPDATE")
        apply = subprocess.Popen([BINARY, "--store", shop.store, "apply"], stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE)
        wait_for("the batch to wait", lambda: shop.rows(
            "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND datname = current_database()"))
        try:
            sender = int(shop.rows("SELECT active_pid FROM pg_replication_slots"
                                   " WHERE database = current_database()")[0][0])
            os.kill(sender, signal.SIGSTOP)
            connection.run("COMMIT")
            wait_for("a batch that has written behind an echo that is not read",
                     lambda: shop.rows(WRITING) != [("0",)])
            yield
        finally:
            os.kill(sender, signal.SIGCONT)
    output, errors = apply.communicate(timeout=DEADLINE)
    expect_equal((apply.returncode, errors), (0, b""), "apply")
    expect_equal(shop.rows("SELECT id, n FROM spot WHERE id IN (1, 2, 7) ORDER BY id"),
                 [("2", "21"), ("7", "70")], f"rows: {output}")


def written_before_the_echo_is_read(folder):
    shop, stall = make(folder, 2)
    with unread(folder, shop, stall):
        pass
    same(folder, shop, stall, "an echo that came late")


def gives_way_when_the_echo_does_not_come(folder):
    """Its locks may be what somebody waits for who keeps the echo from being read."""
    shop, stall = make(folder, 2)
    with unread(folder, shop, stall):
        wait_for("the batch to give its locks back", lambda: shop.rows(WRITING) == [("0",)])
        shop.script("SET lock_timeout = '10s'; ALTER TABLE spot ADD COLUMN more text")
    pairs.settle(folder, [shop, stall])
    expect_equal(shop.inspect()["repair"], 0, "rows to repair")


def change(chance, rows):
    """Of one of a few rows: columns change, and change back, in all ways."""
    key = chance.randrange(1, 5)
    old = rows.get(key)
    new = chance.choice([row for row in [None, (0, "old"), (0, "new"), (1, "old"), (1, "new")]
                         if row != old])
    rows[key] = new
    if new is None:
        return f"DELETE FROM spot WHERE id = {key}"
    if old is None:
        return f"INSERT INTO spot VALUES ({key}, {new[0]}, '{new[1]}')"
    return f"UPDATE spot SET n = {new[0]}, word = '{new[1]}' WHERE id = {key}"


def rows_that_many_batches_write(folder):
    chance = random.Random(SEED)
    shop, stall = make(folder, 1)
    rows = {key: (0, "old") for key in range(1, 5)}
    for _ in range(2):
        for _ in range(25):
            stall.write([change(chance, rows) for _ in range(chance.choice([1, 1, 3]))])
            stall.run("capture")
        bring(folder, shop, stall)
        ended = shop.run("apply")
        expect("parked 0, released 0, quarantined 0" in str(ended), str(ended))
        pairs.expect_same(shop, stall, "spot", ["id", "n", "word"],
                          ["integer", "integer", "text"], ["id"], f"seed {SEED}")
    same(folder, shop, stall, f"seed {SEED}")


if __name__ == "__main__":
    print(f"seed {SEED}", flush=True)
    with Cluster() as pairs.CLUSTER:
        main([written_before_the_echo_is_read, gives_way_when_the_echo_does_not_come,
              rows_that_many_batches_write])
