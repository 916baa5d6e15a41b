"""Random writes on meshes of Postgres and SQLite nodes, with unique keys, foreign keys and values
out of line, while capture, apply and sync run and are killed: in the end all show the same, each
commit has one entry, and all know the same losers of conflicts.

ROWFERRY_SEED begins somewhere else, ROWFERRY_SEEDS says how many (50; ROWFERRY_LONG: 400)."""

import concurrent.futures
import os
import pathlib
import random
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

import postgres  # noqa: E402
from postgres import Cluster  # noqa: E402
from postgres_node import PostgresNode, shown  # noqa: E402
from rowferry import (BINARY, LONG, Node, expect, expect_equal, settle,  # noqa: E402
                      temporary_folder)

FIRST = int(os.environ.get("ROWFERRY_SEED") or random.SystemRandom().randrange(1 << 31))
SEEDS = int(os.environ.get("ROWFERRY_SEEDS") or (400 if LONG else 50))
STEPS = 24
MESHES = [("p", "p"), ("p", "s"), ("p", "p", "s", "s")]
TABLES = {"place": (["id", "name", "n", "big"], ["integer", "text", "integer", "text"]),
          "item": (["id", "place", "word"], ["integer", "integer", "text"]),
          "ledger": (["id"], ["text"])}
SCHEMA = """
CREATE TABLE place (id integer PRIMARY KEY, name text UNIQUE, n integer, big text);
CREATE TABLE item (id integer PRIMARY KEY, place integer REFERENCES place, word text);
CREATE TABLE ledger (id text PRIMARY KEY);
INSERT INTO place VALUES (1, 'one', 1, 'x'), (2, 'two', 2, NULL);
INSERT INTO item VALUES (1, 1, 'a');
"""


def statement(chance):
    key, other = chance.randrange(1, 7), chance.randrange(1, 7)
    big = "".join(f"{chance.randrange(1 << 32):08x}" for _ in range(600 if chance.random() < 0.3
                                                                      else 1))
    name = chance.choice("abcdef")
    return chance.choice([
        f"INSERT INTO place VALUES ({key}, '{name}', {other}, '{big}')",
        f"INSERT INTO item VALUES ({key}, {other}, '{name}')",
        f"UPDATE place SET name = '{name}' WHERE id = {key}",
        f"UPDATE place SET n = n + {other} WHERE id = {key}",
        f"UPDATE place SET big = '{big}' WHERE id = {key}",
        f"UPDATE item SET place = {other} WHERE id = {key}",
        f"UPDATE item SET word = '{name}' WHERE id = {key}",
        f"UPDATE place SET id = {key + 10} WHERE id = {key} AND NOT EXISTS"
        f" (SELECT 1 FROM item WHERE place = {key})",
        f"DELETE FROM item WHERE id = {key}",
        f"DELETE FROM place WHERE id = {key}"])


def told(node):
    """The losers of conflicts, and the parked rows."""
    lines = node.run("conflicts", "--json").json_lines()
    return (sorted((line["table"], str(line["key"]), line["loser"]["version"])
                   for line in lines if "loser" in line),
            sorted((line["table"], str(line["key"]), line["kind"])
                   for line in lines if "loser" not in line))


class Mesh:
    def __init__(self, folder, seed, cluster):
        self.folder, self.seed, self.cluster = folder, seed, cluster
        self.chance = random.Random(seed)
        self.committed = []
        self.nodes = []
        (folder / "shared").mkdir()

    def make(self):
        for i, kind in enumerate(MESHES[self.seed % len(MESHES)]):
            if kind == "p":
                node = PostgresNode(self.folder, f"mesh_{self.seed}_{i}", self.cluster)
            else:
                node = Node(self.folder, f"lite_{i}")
            self.nodes.append(node)
            if i == 0:
                node.script(SCHEMA)
                node.init()
                node.run("token", self.folder / "token")
            else:
                node.init("--join", self.folder / "token", "--create-tables")
            node.set_line("batch", random.Random(f"{self.seed} {i}").choice(["auto", 1, 2, 5]))
            node.sync(self.folder / "shared")

    def write(self, node):
        """A transaction that a constraint may forbid."""
        name = f"{self.seed}.{len(self.committed)}.{self.chance.randrange(1 << 30)}"
        lines = [statement(self.chance) for _ in range(self.chance.randrange(1, 4))]
        if self.chance.random() < 0.3 and isinstance(node, PostgresNode):
            lines.insert(1, "SAVEPOINT s")
            lines.insert(3, self.chance.choice(["ROLLBACK TO s", "RELEASE s"]))
        lines.append(f"INSERT INTO ledger VALUES ('{name}')")
        try:
            if isinstance(node, PostgresNode):
                node.write(lines)
            else:
                node.write(["PRAGMA foreign_keys = ON"] + lines)
        except (postgres.Failure, sqlite3.IntegrityError):
            return
        self.committed.append(name)

    def kill(self, node):
        command = self.chance.choice([["sync", self.folder / "shared"], ["capture"], ["apply"]])
        process = subprocess.Popen([BINARY, "--store", node.store, *command],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(timeout=self.chance.random() * 0.12)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def step(self):
        node = self.chance.choice(self.nodes)
        kind = self.chance.random()
        if kind < 0.5:
            self.write(node)
        elif kind < 0.75:
            node.sync(self.folder / "shared")
        elif kind < 0.82:
            node.run("capture")
        elif kind < 0.87:
            node.run("apply")
        else:
            self.kill(node)

    def check(self):
        settle(self.nodes, self.folder / "shared", rounds=10)
        first = self.nodes[0]
        for node in self.nodes:
            node.run("verify")
            node.run("diff")
            for table, (columns, kinds) in TABLES.items():
                expect_equal(shown(node, table, columns, kinds, ["id"]),
                             shown(first, table, columns, kinds, ["id"]),
                             f"{table} at {node.name}")
        expect_equal(sorted(row[0] for row in first.rows("SELECT id FROM ledger")),
                     sorted(self.committed), "what was committed")
        for node in self.nodes:
            logged = sorted(change["key"]["id"] for entry in node.log()
                            for change in entry.get("changes", []) if change["table"] == "ledger")
            expect_equal(logged, sorted(self.committed), f"entries at {node.name}")
        said = [told(node) for node in self.nodes]
        for node, found in zip(self.nodes, said):
            expect_equal(found, said[0], f"losers and parked rows at {node.name}")

    def close(self):
        with self.cluster.connect("postgres") as connection:
            for node in self.nodes:
                if not isinstance(node, PostgresNode):
                    continue
                connection.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE"
                               f" datname = '{node.name}'")
                until = time.monotonic() + 10
                while connection.run("SELECT 1 FROM pg_replication_slots WHERE active AND"
                                     f" database = '{node.name}'"):
                    expect(time.monotonic() < until, "the slot is free")
                connection.run("SELECT pg_drop_replication_slot(slot_name) FROM"
                               f" pg_replication_slots WHERE database = '{node.name}'")
                connection.run(f'DROP DATABASE "{node.name}" WITH (FORCE)')


def run_seed(seed, cluster):
    with temporary_folder() as folder:
        mesh = Mesh(pathlib.Path(folder), seed, cluster)
        try:
            mesh.make()
            for _ in range(STEPS):
                mesh.step()
            mesh.check()
        except Exception as failure:
            raise RuntimeError(f"ROWFERRY_SEED={seed}: {failure}") from failure
        mesh.close()


def work(seeds):
    with Cluster() as cluster:
        for seed in seeds:
            run_seed(seed, cluster)


def run_all():
    print(f"seeds {FIRST} to {FIRST + SEEDS - 1}", flush=True)
    seeds = range(FIRST, FIRST + SEEDS)
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        for done in [pool.submit(work, seeds[half::2]) for half in range(2)]:
            done.result()


if __name__ == "__main__":
    run_all()
