#!/usr/bin/env python3
"""What is printed for people keeps to 80 columns, whatever rows, keys and names hold: letters
of two columns, marks of none, what is spelled out, and texts without a blank."""

import pathlib
import sqlite3
import sys
import unicodedata

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support"))
from rowferry import expect, expect_equal, main, make_pair, settle  # noqa: E402

COLUMN = "größe_der_日本語の列" * 4
TABLE = "very long name of a table, 表" * 4
CONTENTS = {
    "plain": b"short",
    "long": b"x" * 5000,
    "words": b"word " * 300,
    "cjk": "日本語の長い名前がここにありますよ、とても長いので折り返しが必要です".encode() * 3,
    "emoji": "👩‍👩‍👧‍👦 👍🏽 ☕ ⌚".encode() * 30,
    "marks": ("e" + "\u0301" * 30 + "y").encode() * 50,
    "zero": b"\0" * 100,
    "invalid": b"\xff\xfe\xc3" * 50,
    "escapes": b"\x1b[31m\n\t\x9b" * 40,
    "quotes": b"'" * 200,
}
SCHEMA = (f'CREATE TABLE "{TABLE}" (k TEXT, id INTEGER, "{COLUMN}", n UNIQUE,'
          " PRIMARY KEY (k, id)) WITHOUT ROWID;")


def width(text):
    """By Unicode's own tables, not the C library's."""
    return sum(0 if unicodedata.category(c) in ("Mn", "Me", "Cf")
               else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def expect_narrow(node, *words):
    output = node.run(*words).output
    expect(output != "", f"{words}: prints something")
    for line in output.splitlines():
        expect(width(line) <= 80, f"{words}: {width(line)} columns: {line}")
    return output


def key_of(content):
    return content[:300].decode("utf-8", "ignore").encode() or content[:300]


def insert(node, extra):
    """One row of each content, in the key too; SQLite keeps bytes that are no UTF-8."""
    with sqlite3.connect(node.database) as database:
        for number, content in enumerate(CONTENTS.values()):
            database.execute(f'INSERT INTO "{TABLE}" VALUES (CAST(? AS TEXT), ?,'
                             " CAST(? AS TEXT), ?)",
                             (key_of(content), number, content + extra, f"{node.name}{number}"))
        database.execute(f'INSERT INTO "{TABLE}" VALUES (?, 99, 1, ?)', (node.name * 300, "日本" * 40))
    database.close()


def test_lists_are_narrow(folder):
    a, b = make_pair(folder, SCHEMA)
    insert(a, b"")
    insert(b, b"+")
    settle([a, b], folder / "shared")
    b.script("PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql,"
             f" 'id INTEGER', 'id INTEGER CHECK (id < 100)') WHERE type = 'table' AND name = '{TABLE}';")
    for number, content in enumerate(CONTENTS.values()):
        with sqlite3.connect(a.database) as database:
            database.execute(f'INSERT INTO "{TABLE}" VALUES (CAST(? AS TEXT), ?, 1, NULL)',
                             (key_of(content), 100 + number))
        database.close()
    settle([a, b], folder / "shared")
    said = b.run("status", "--json").json()
    expect_equal([said["conflicts"], said["parked"], said["quarantined"]],
                 [len(CONTENTS), 1, len(CONTENTS)], "there is something to list")
    for words in (["conflicts"], ["log"], ["quarantine"], ["status"]):
        expect_narrow(b, *words)
    for number in range(1, len(CONTENTS) + 1):
        expect_narrow(b, "conflicts", "show", str(number))
    for number, (name, content) in enumerate(CONTENTS.items()):
        if b"\0" in content or b"\xff" in content or b"\x9b" in content:
            continue  # no argument of a command
        key = key_of(content).decode()
        expect_narrow(b, "history", TABLE, key, str(number))
        expect_narrow(b, "blame", TABLE, key, str(number))


def test_values_take_what_their_line_has_left(folder):
    a, b = make_pair(folder, "CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
    a.write("INSERT INTO t VALUES (1, '" + "日" * 100 + "')")
    a.run("capture")
    line = a.run("history", "t", "1").output.splitlines()[-1]
    expect_equal(line, "        v = '" + "日" * 25 + "…'", "cut at 50 columns")


main([test_lists_are_narrow, test_values_take_what_their_line_has_left])
