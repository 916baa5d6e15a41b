"""Nodes that are even leave each other alone: ten more visits change no log, no file of the
folder and no byte of a database."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from rowferry import (Node, expect, expect_equal, fault_environment,  # noqa: E402
                      listing, main, make_pair, settle, sha)

# Rows that are parked and quarantined, columns that only one has, a third node.
SCHEMA = """
CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT UNIQUE, n INTEGER);
CREATE TABLE part (id TEXT PRIMARY KEY, item INTEGER REFERENCES item(id)) WITHOUT ROWID;
INSERT INTO item VALUES (1, 'one', 1), (2, 'two', 2), (3, 'three', 3);
INSERT INTO part VALUES ('p', 1), ('q', 2);
"""


def uneven_fleet(folder, mode):
    a, b = make_pair(folder, f"PRAGMA journal_mode = {mode};" + SCHEMA)
    c = Node(folder, "c")
    c.init("--join", folder / "token", "--create-tables")
    nodes = [a, b, c]
    settle(nodes, folder / "shared")
    b.script(f"PRAGMA journal_mode = {mode}")
    a.write("INSERT INTO item VALUES (10, 'taken', 1)")
    b.write("INSERT INTO item VALUES (11, 'taken', 2)")  # one of the two is parked
    a.write("DELETE FROM item WHERE id = 2")
    b.write("INSERT INTO part VALUES ('orphan', 2)")  # parked: its parent is gone
    c.script("DROP TABLE part; CREATE TABLE part (id TEXT PRIMARY KEY CHECK (id <> 'refused'), "
             "item INTEGER REFERENCES item(id)) WITHOUT ROWID")
    settle(nodes, folder / "shared")
    a.write("INSERT INTO part VALUES ('refused', 1)")  # c quarantines it
    settle(nodes, folder / "shared")
    parked = a.run("status", "--json").json()["parked"]
    refused = c.run("status", "--json").json()["quarantined"]
    expect(parked >= 2 and refused == 1, f"{parked} parked, {refused} quarantined")
    return nodes


def content(node, suffix):
    """An empty file counts as none: a read-only connection leaves a -wal without a byte."""
    path = node.database.with_name(node.database.name + suffix)
    return sha(path) if path.exists() and path.stat().st_size > 0 else None


def picture(nodes, shared):
    return [(node.name, node.inspect(),
             [content(node, suffix) for suffix in ("", "-wal", "-journal")])
            for node in nodes] + [listing(shared)]


def ten_more_visits_of_even_nodes_change_nothing(folder):
    for mode in ("DELETE", "WAL"):
        nodes = uneven_fleet(folder / mode, mode)
        shared = folder / mode / "shared"
        before = picture(nodes, shared)
        for _ in range(10):
            for node in nodes:
                said = node.run("sync", shared, "--json").json()
                expect_equal((said["captured"]["entries"], said["sent"]["entries"],
                              said["received"]["entries"], said["segments_opened"]),
                             (0, 0, 0, 0), f"a visit of {node.name} ({mode})")
        expect_equal(picture(nodes, shared), before, f"the fleet ({mode})")
        for node in nodes:
            node.run("capture")
            node.run("apply")
            node.run("run", "--once", "--sync", shared)
            node.check()
        expect_equal(picture(nodes, shared), before, f"the fleet ({mode})")


def a_visit_with_nothing_new_writes_to_no_file(folder):
    """Not even what it was already: counted by its calls."""
    a, _, _ = uneven_fleet(folder / "fleet", "DELETE")
    trace = folder / "trace"
    a.sync(a.folder / "shared", environment=fault_environment(trace=trace))
    for line in trace.read_text().splitlines():
        number, call, path = line.split(" ", 2)
        # Locks have a pid in them, LMDB's lock file its readers; opening is not writing.
        expect(number == "-" or call == "open" or path.endswith((".lock", "lock.mdb")),
               f"a visit with nothing new: {line}")


main([ten_more_visits_of_even_nodes_change_nothing,
      a_visit_with_nothing_new_writes_to_no_file])
