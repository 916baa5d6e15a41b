"""kill -9 of a visit of a Postgres node, at each call that writes to a file or sends to the server:
before the call, or with the server's answer unheard. After each kill the next visit succeeds, nothing
is lost or comes twice, and both nodes show the same.

Batches of each way into Postgres are killed: sets, some behind each other, a taken unique value
(locked), a row that the server refuses (careful). With ROWFERRY_LONG=1 at every call, else at some,
picked by the seed (ROWFERRY_SEED)."""

import os
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

import postgres_pairs as pairs  # noqa: E402
from postgres import Cluster  # noqa: E402
from postgres_node import shown  # noqa: E402
from rowferry import LONG, expect, expect_equal, fault_environment, main  # noqa: E402

SEED = int(os.environ.get("ROWFERRY_SEED") or random.SystemRandom().randrange(1 << 32))
TRIES = 12  # of each kind of batch, in an ordinary run
COLUMNS, KINDS = ["id", "name", "n"], ["integer", "text", "integer"]


def plain(i):
    return [f"INSERT INTO item VALUES ({i}, 'stall {i}', 0), ({i + 1}, NULL, 1)",
            f"UPDATE item SET n = {i} WHERE id IN (1, 2)", "DELETE FROM item WHERE id = 3"], \
        [f"INSERT INTO item VALUES (3, NULL, {i}) ON CONFLICT (id) DO UPDATE SET n = {i}"]


def several(i):
    """Batches one behind the other: all but the first are written ahead."""
    return [[f"INSERT INTO item VALUES ({i}, 'stall {i}', 0), ({i + 1}, NULL, 1)"],
            [f"UPDATE item SET n = {i} WHERE id IN (1, {i})"],
            ["UPDATE item SET n = 1 WHERE id = 1", f"DELETE FROM item WHERE id = {i}"]], \
        [f"INSERT INTO item VALUES (3, NULL, {i}) ON CONFLICT (id) DO UPDATE SET n = {i}"]


def taken(i):
    """Both give a name to a row of their own: one has to wait for it."""
    return [f"INSERT INTO item VALUES ({i}, 'name {i}', 0)"], \
        [f"INSERT INTO item VALUES ({i + 1}, 'name {i}', 0)"]


def refused(i):
    return [f"INSERT INTO item VALUES ({i}, NULL, 13), ({i + 1}, 'fine {i}', 0)"], \
        [f"UPDATE item SET n = {i} WHERE id = 1"]


class Killed:
    """One pair of nodes, and what both wrote, by their own account."""

    def __init__(self, folder):
        self.folder = folder
        self.shop, self.stall = pairs.make_pair(folder, """
            CREATE TABLE item (id integer PRIMARY KEY, name text UNIQUE, n integer);
            INSERT INTO item VALUES (1, 'one', 1), (2, 'two', 2), (3, NULL, 3);""")
        self.shop.script("ALTER TABLE item ADD CHECK (n <> 13)")
        pairs.settle(folder, [self.shop, self.stall])
        self.before = self.entries()
        self.next, self.writes = 100, {self.shop.name: 0, self.stall.name: 0}

    def entries(self):
        """Of each node, in each log: the numbers of its entries of rows."""
        return [{name: [entry["origin_seq"] for entry in node.log()
                        if entry["kind"] == "changes" and entry["name"] == name]
                 for name in (self.shop.name, self.stall.name)}
                for node in (self.shop, self.stall)]

    def write(self, batch):
        there, here = batch(self.next)
        self.next += 2
        for transaction in there if isinstance(there[0], list) else [there]:
            self.stall.write(transaction)
            self.stall.run("capture")
            self.writes[self.stall.name] += 1
        self.stall.sync(self.folder / "shared")
        self.shop.write(here)
        self.writes[self.shop.name] += 1

    def visit(self, **faults):
        return self.shop.run("sync", self.folder / "shared", code=None,
                             environment=fault_environment(sends=1, **faults))

    def count(self, batch):
        """Its calls, this time."""
        trace = self.folder / "trace"
        self.write(batch)
        run = self.visit(trace=trace)
        expect(run.code == 0, str(run))
        calls = sum(not line.startswith("- ") for line in trace.read_text().splitlines())
        trace.unlink()
        return calls

    def kill(self, batch, number, tear):
        self.write(batch)
        run = self.visit(**{"tear" if tear else "kill": number})
        expect(run.code in (0, -9), str(run))
        pairs.settle(self.folder, [self.shop, self.stall])
        self.shop.run("diff")
        self.stall.run("diff")
        rows = [tuple(row) for row in shown(self.stall, "item", COLUMNS, KINDS, ["id"])
                if row[2] != "13"]
        expect_equal(shown(self.shop, "item", COLUMNS, KINDS, ["id"]), rows, "rows of the shop")
        return run.code == -9

    def check(self):
        found = self.entries()
        expect_equal(found[0], found[1], "entries in both logs")
        for name, seqs in found[0].items():
            expect_equal(len(seqs), len(self.before[0][name]) + self.writes[name],
                         f"entries of {name}")
        for node in (self.shop, self.stall):
            node.run("verify")
        expect_equal(self.shop.inspect()["repair"], 0, "rows to repair")


def try_batches(folder, batch, size="auto"):
    chance = random.Random(f"{SEED} {batch.__name__}")
    killed = Killed(folder)
    killed.shop.set_line("batch", size)
    calls = killed.count(batch)
    tries = [(number, tear) for number in range(1, calls + 1) for tear in (False, True)]
    if not LONG:
        tries = sorted(chance.sample(tries, min(TRIES, len(tries))))
    kills = 0
    for number, tear in tries:
        try:
            kills += killed.kill(batch, number, tear)
        except Exception as failure:
            raise AssertionError(f"{'torn' if tear else 'killed'} at call {number} of {calls}, "
                                 f"seed {SEED}: {failure}") from failure
    print(f"{batch.__name__}: {calls} calls, {len(tries)} tries, {kills} kills", flush=True)
    expect(kills > len(tries) * 0.7, "most of them were killed")
    killed.check()


def sets(folder):
    try_batches(folder, plain)


def ahead(folder):
    try_batches(folder, several, 1)


def locked(folder):
    try_batches(folder, taken)


def careful(folder):
    try_batches(folder, refused)


if __name__ == "__main__":
    print(f"seed {SEED}", flush=True)
    with Cluster() as pairs.CLUSTER:
        main([sets, ahead, locked, careful])
