#!/usr/bin/env python3
"""The last writer in real time wins: three nodes whose programs record their transactions write
one after another, with visits anywhere between; every row ends, on every node, with the write
that was last, however late it travelled.

ROWFERRY_SEED gives one seed; ROWFERRY_LONG=1 runs twenty."""

import os
import pathlib
import random
import sqlite3
import sys

if not hasattr(sqlite3.Connection, "enable_load_extension") and \
        sys.executable != "/usr/bin/python3" and os.access("/usr/bin/python3", os.X_OK):
    os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from rowferry import BINARY, LONG, Node, expect, expect_equal, main  # noqa: E402

EXTENSION = pathlib.Path(BINARY).parent / "rowferry.so"
NODES, ROWS, WRITES, VISITS = 3, 12, 240, 30


class Program:
    """An application on one node: a connection that stays open and records what it does."""

    def __init__(self, node):
        self.node = node
        self.connection = sqlite3.connect(node.database, isolation_level=None)
        self.connection.enable_load_extension(True)
        self.connection.load_extension(str(EXTENSION))
        self.connection.execute("PRAGMA recursive_triggers = ON")

    def write(self, statements):
        self.connection.execute("BEGIN IMMEDIATE")
        for sql, values in statements:
            self.connection.execute(sql, values)
        self.connection.execute("SELECT rowferry_commit()").fetchall()
        self.connection.execute("COMMIT")

    def rows(self):
        return dict(self.connection.execute("SELECT id, v FROM item ORDER BY id"))


def write(chance, program, last, number):
    """One transaction of one to three rows; what is there decides which statement it takes.
    last: row -> value of the last write in real time, None when it deleted."""
    statements = []
    there = program.rows()
    for row in chance.sample(range(1, ROWS + 1), chance.randint(1, 3)):
        if row in there and chance.random() < 0.25:
            statements.append(("DELETE FROM item WHERE id = ?", (row,)))
            last[row] = None
        elif row in there and chance.random() < 0.7:
            statements.append(("UPDATE item SET v = ? WHERE id = ?", (number, row)))
            last[row] = number
        else:
            statements.append(("REPLACE INTO item VALUES (?, ?)", (row, number)))
            last[row] = number
    program.write(statements)


def run(folder, seed):
    chance = random.Random(seed)
    shared = folder / "shared"
    shared.mkdir()
    nodes = [Node(folder, name) for name in "abc"[:NODES]]
    nodes[0].write("CREATE TABLE item (id INTEGER PRIMARY KEY, v INTEGER)")
    nodes[0].init()
    nodes[0].run("token", folder / "token")
    nodes[0].sync(shared)
    for node in nodes[1:]:
        node.init("--join", folder / "token", "--create-tables")
        node.sync(shared)
    programs = [Program(node) for node in nodes]
    last = {row: None for row in range(1, ROWS + 1)}
    visits = set(chance.sample(range(WRITES), VISITS))
    for number in range(WRITES):
        write(chance, chance.choice(programs), last, number)
        if number in visits:
            chance.choice(nodes).sync(shared)
    for node in [*nodes, *nodes]:
        node.sync(shared)
    wanted = {row: value for row, value in last.items() if value is not None}
    for program in programs:
        expect_equal(program.rows(), wanted, f"rows of {program.node.name}")
        program.node.run("diff")
        program.connection.close()
    met = nodes[0].run("conflicts", "--json").json_lines()
    expect(met, "no two writes were concurrent: nothing was seen")
    return len(met)


def test_the_last_writer_in_real_time_wins(folder):
    given = os.environ.get("ROWFERRY_SEED")
    seeds = [int(given)] if given else range(1, 21 if LONG else 3)
    for seed in seeds:
        print(f"ROWFERRY_SEED={seed}", flush=True)
        place = folder / str(seed)
        place.mkdir()
        print(f"  {run(place, seed)} conflicts", flush=True)


main([test_the_last_writer_in_real_time_wins])
