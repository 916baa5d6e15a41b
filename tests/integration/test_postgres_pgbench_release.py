"""pgbench's banking (TPC-B-like) on two Postgres nodes at once, while `run` of both is killed again
and again and the server ends its sessions: once all has gone through, the tables are equal, and
every row that pgbench added to its history stands on both, from one entry.

ROWFERRY_SEED: when who is killed. ROWFERRY_LONG: for minutes, on more rows."""

import contextlib
import os
import pathlib
import random
import re
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from postgres import Cluster  # noqa: E402
from postgres_node import PostgresNode  # noqa: E402
from rowferry import BINARY, LONG, expect, expect_equal, main, settle  # noqa: E402

SEED = int(os.environ.get("ROWFERRY_SEED") or random.SystemRandom().randrange(1 << 32))
SECONDS = 120 if LONG else 4
RATE = 150  # transactions a second at each node: what rowferry keeps up with between two kills
SCALE = 10 if LONG else 1
KEYS = {"accounts": "aid", "branches": "bid", "tellers": "tid", "history": "id"}
CLUSTER = None


class Killer(threading.Thread):
    """Keeps `run` going at a node: kills it, or has the server end one of its sessions, and
    begins it again, until it is told to end."""

    def __init__(self, node, seed):
        super().__init__(daemon=True)
        self.node, self.chance = node, random.Random(seed)
        self.over, self.failure = threading.Event(), None
        self.kills = self.cuts = 0

    def run(self):
        try:
            while not self.over.is_set():
                self.stay()
        except Exception as failure:  # raised where it is joined
            self.failure = failure

    def stay(self):
        with open(self.node.folder / f"{self.node.name}.trace", "w+b") as trace, \
                subprocess.Popen([BINARY, "--store", self.node.store, "run", "--interval", "1",
                                  "--sync", self.node.folder / "shared"],
                                 stdin=subprocess.DEVNULL, stdout=trace, stderr=trace) as process:
            try:
                while self.chance.random() < 0.4 and not self.over.is_set():
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(self.chance.random())
                    self.cut()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(self.chance.random() * 2)
                trace.seek(0)
                expect(process.poll() is None,
                       f"run ended by itself: {process.returncode}: {trace.read().decode()}")
            finally:
                process.kill()
        self.kills += 1

    def cut(self):
        """A walsender's or a backend's end, whichever comes first to hand."""
        with self.node.connect() as connection:
            self.cuts += len(connection.run(
                "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity WHERE"
                " application_name = 'rowferry' AND datname = current_database()"
                f" ORDER BY hashtext(pid::text || '{self.chance.random()}') LIMIT 1) session"))

    def end(self):
        self.over.set()
        self.join()
        if self.failure is not None:
            raise self.failure


def pgbench(node, *words, **options):
    return subprocess.Popen([CLUSTER.programs / "pgbench", "--no-vacuum", *map(str, words), node.url],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, **options)


def said_by(process):
    said = process.communicate()[0]
    expect(process.returncode == 0, f"pgbench: exit {process.returncode}: {said}")
    return said


def make_banks(folder):
    (folder / "shared").mkdir()
    one, two = (PostgresNode(folder, f"bank_{name}", CLUSTER) for name in ("one", "two"))
    said_by(pgbench(one, "--initialize", "--init-steps", "dtgpf", "--scale", SCALE, "--quiet"))
    check = one.run("init", one.url, "--name", one.name, "--check")
    expect(re.search("pgbench_history.*primary key", check.output), str(check))
    one.script("ALTER TABLE pgbench_history ADD id uuid DEFAULT gen_random_uuid() PRIMARY KEY")
    one.init()
    one.run("token", folder / "token")
    two.init("--join", folder / "token", "--create-tables")
    settle([one, two], folder / "shared")
    return one, two


def pictures(node):
    with node.connect() as connection:
        return {table: connection.value(
            f"SELECT count(*) || ' ' || md5(string_agg(row::text, ' ' ORDER BY {key}))"
            f" FROM pgbench_{table} row") for table, key in KEYS.items()}


def banks(folder):
    one, two = make_banks(folder)
    chance = random.Random(SEED)
    killers = [Killer(node, chance.random()) for node in (one, two)]
    before = [node.last_seq() for node in (one, two)]
    for killer in killers:
        killer.start()
    working = [pgbench(node, "--time", SECONDS, "--rate", RATE, "--client", 4,
                       "--max-tries", 1000, "--random-seed", chance.randrange(1 << 31)) for node in (one, two)]
    said = [said_by(process) for process in working]
    for killer in killers:
        killer.end()
    done = [int(re.search(r"actually processed: (\d+)", text)[1]) for text in said]
    crossed = [node.last_seq() - before[i] - done[i] for i, node in enumerate((one, two))]
    print(f"{done} transactions, {crossed} of the other's, {[killer.kills for killer in killers]} kills,"
          f" {[killer.cuts for killer in killers]} sessions ended", flush=True)
    expect(min(done) > 0 and all(killer.kills > 0 for killer in killers), "both worked")
    settle([one, two], folder / "shared")
    expect_equal(pictures(two), pictures(one), "the tables")
    wanted = sorted(row[0] for row in one.rows("SELECT id FROM pgbench_history"))
    expect_equal(len(wanted), sum(done), "rows of history")
    for node in (one, two):
        node.run("verify")
        node.run("diff")
        logged = sorted(change["key"]["id"] for entry in node.log()
                        for change in entry.get("changes", [])
                        if change["table"] == "pgbench_history")
        expect_equal(logged, wanted, f"entries at {node.name}")


if __name__ == "__main__":
    print(f"seed {SEED}", flush=True)
    with Cluster() as CLUSTER:
        main([banks], size_max=(16 if LONG else 1) << 30)
