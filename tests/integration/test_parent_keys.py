#!/usr/bin/env python3
"""Foreign keys whose values are equal to SQLite though their bytes differ: a child parked for
want of its parent comes back when that arrives, and is parked again when it goes, everywhere."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support"))
from rowferry import Node, expect_equal, main  # noqa: E402

# parent, the child's column, the parent's value, the child's
KEYS = {
    "no_case": ("k TEXT COLLATE NOCASE PRIMARY KEY NOT NULL", "q TEXT", "'a'", "'A'"),
    "no_case_without_rowid": ("k TEXT COLLATE NOCASE PRIMARY KEY", "q TEXT", "'a'", "'A'"),
    "trimmed": ("k TEXT COLLATE RTRIM PRIMARY KEY NOT NULL", "q TEXT", "'a'", "'a '"),
    "trimmed_beyond_the_key": ("id INTEGER PRIMARY KEY, k TEXT COLLATE RTRIM UNIQUE", "q TEXT",
                               "'a'", "'a '"),
    "text_to_integer": ("k INTEGER PRIMARY KEY", "q TEXT", "7", "'7'"),
    "integer_to_text": ("k TEXT PRIMARY KEY NOT NULL", "q INT", "'7'", "7"),
    "no_type": ("k INTEGER PRIMARY KEY", "q", "7", "'7'"),
}


def sync(shared, *nodes):
    for node in nodes:
        node.sync(shared)


def check(folder, parent, child, held, referring, ending=""):
    shared = folder / "shared"
    shared.mkdir()
    a, b = Node(folder, "a"), Node(folder, "b")
    a.write([f"CREATE TABLE p ({parent}) {ending}",
             f"CREATE TABLE c (id INTEGER PRIMARY KEY, {child} REFERENCES p(k))"])
    a.init()
    a.run("token", folder / "token")
    a.sync(shared)
    b.init("--join", folder / "token", "--create-tables")
    b.sync(shared)
    rows = [(1, b.rows(f"SELECT {referring}")[0][0])]
    b.write(f"INSERT INTO c VALUES (1, {referring})")
    sync(shared, b, a)
    for node in (a, b):
        expect_equal(node.rows("SELECT id FROM c"), [], f"{node.name}: no parent")
    a.write(f"INSERT INTO p (k) VALUES ({held})")
    sync(shared, a, b)
    for node in (a, b):
        expect_equal(node.rows("SELECT id, q FROM c"), rows, f"{node.name}: the parent has come")
        node.run("diff")
    a.write("DELETE FROM p")
    sync(shared, a, b)
    for node in (a, b):
        expect_equal(node.rows("SELECT id FROM c"), [], f"{node.name}: the parent is gone")
        node.run("diff")


def make_test(name, words):
    def test(folder):
        check(folder, *words, "WITHOUT ROWID" if name.endswith("without_rowid") else "")
    test.__name__ = "test_" + name
    return test


main([make_test(name, words) for name, words in KEYS.items()])
