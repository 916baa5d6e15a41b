#!/usr/bin/env python3
"""Long work shows on a terminal how far it is, and nowhere else."""

import os
import pathlib
import pty
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support"))
from postgres import Cluster  # noqa: E402
from postgres_node import PostgresNode  # noqa: E402
from rowferry import Node, Run, TOOLS, BINARY, expect, expect_equal, main, run  # noqa: E402

import fcntl  # noqa: E402
import struct  # noqa: E402
import subprocess  # noqa: E402
import termios  # noqa: E402

ROWS = 1000
COLUMNS = 76
SCHEMA = f"""
CREATE TABLE "item\x1b[2J" (id INTEGER PRIMARY KEY, n INTEGER);
WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < {ROWS})
    INSERT INTO "item\x1b[2J" SELECT n, n FROM i;
"""
SLOW = {"LD_PRELOAD": str(TOOLS / "clock_shim.so"),
        "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}


def run_on_terminal(*words, output=None):
    """Run with standard error, and standard output unless output is a file, on a terminal;
    every look at the clock takes a second. Returns the bytes that came there."""
    words = [str(word) for word in words]
    here, there = pty.openpty()
    fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    process = subprocess.Popen([BINARY, *words], stdin=subprocess.DEVNULL,
                               stdout=output or there, stderr=there,
                               env={**os.environ, **SLOW})
    os.close(there)
    said = b""
    while True:
        try:
            part = os.read(here, 1 << 16)
        except OSError:  # Linux says so when the last one has closed it
            break
        if not part:
            break
        said += part
    os.close(here)
    code = process.wait()
    text = said.decode()
    Run(words, code, text, "")
    expect(code in (0, 1), f"{words}: exit {code}: {text}")
    return text


def screen(text):
    """What stands on the terminal in the end, line by line."""
    lines = [""]
    column = 0
    for character in text.replace("\r\n", "\n"):
        if character == "\n":
            lines.append("")
            column = 0
        elif character == "\r":
            column = 0
        else:
            line = lines[-1].ljust(column)
            lines[-1] = line[:column] + character + line[column + 1:]
            column += 1
    return [line.rstrip() for line in lines if line.strip()]


def expect_progress(text, *wanted):
    for words in wanted:
        expect(words in text, f"no '{words}' in {text!r}")
    for line in screen(text):
        expect("00/s" not in line and "%)" not in line, f"left on the terminal: {line!r}")
    for piece in re.findall("\r([^\r\n]*)(?=\r[^\n])", text):
        expect(len(piece) < COLUMNS, f"too wide: {piece!r}")
    expect("\x1b" not in text, f"a name commands the terminal: {text!r}")


def test_each_command_shows_it(folder):
    shared = folder / "shared"
    shared.mkdir()
    a, b = Node(folder, "a"), Node(folder, "b")
    a.script(SCHEMA)
    text = run_on_terminal("--store", a.store, "init", f"sqlite:{a.database}", "--name", "a")
    expect_progress(text, "\rinit: read item?[2J: 100 of 1000 rows (10%), 100/s, 9 seconds left",
                    ": 1000 of 1000 rows (100%)")
    expect("1 table, 1000 rows" in screen(text), str(screen(text)))

    a.write('UPDATE "item\x1b[2J" SET n = n + 1')
    expect_progress(run_on_terminal("--store", a.store, "capture"),
                    "\rcapture: read item?[2J: 500 rows, 100/s")
    expect_progress(run_on_terminal("--store", a.store, "verify"), "\rverify: 500 of 2000 rows (25%)")
    expect_progress(run_on_terminal("--store", a.store, "diff"), "\rdiff: load: 500 rows",
                    "\rdiff: settle", "\rdiff: compare item?[2J: 500 of 1000 rows (50%)")
    expect_progress(run_on_terminal("--store", a.store, "export", folder / "all.rfseg"),
                    "\rexport: ", " of 2002 rows (")

    a.run("token", folder / "token")
    b.init("--join", folder / "token", "--create-tables")
    expect_progress(run_on_terminal("--store", b.store, "import", folder / "all.rfseg"),
                    "\rimport: check ", "\rimport: ", "(100%)")
    expect_progress(run_on_terminal("--store", b.store, "apply"), "\rapply: 500 of ",
                    "\rapply: confirm: ")
    text = run_on_terminal("--store", a.store, "sync", shared)
    expect_progress(text, "\rsync: read item?[2J: 500 rows", "\rsync: export: ")
    expect("sent 4 entries" in screen(text)[-1], str(screen(text)))

    b.write('DELETE FROM "item\x1b[2J"')
    text = run_on_terminal("--store", b.store, "diff")
    expect_equal(len(screen(text)), ROWS + 2, "each row that differs has its line, and two more")
    (b.database).unlink()
    a.write("PRAGMA user_version = 1")
    b.database.write_bytes(a.database.read_bytes())
    b.script("DROP TABLE rowferry_state")
    expect_progress(run_on_terminal("--store", b.store, "resync"), "\rresync: compare item?[2J: ",
                    "\rresync: rewrite item?[2J: 500 rows")


def test_a_first_copy_from_postgres_counts_bytes_too(folder):
    with Cluster() as cluster:
        shop = PostgresNode(folder, "shop", cluster)
        shop.script(f"""CREATE TABLE item (id integer PRIMARY KEY, body text);
            INSERT INTO item SELECT i, repeat('x', 99)
                FROM generate_series(1001, 1000 + {ROWS}) i""")
        text = run_on_terminal("--store", shop.store, "init", shop.url, "--name", "shop")
    size = len("1001\t") + 99 + len("\n")
    expect_progress(text, f"\rinit: read item: 500 of 1000 rows (50%), {500 * size / 1024:.1f} KiB, "
                          "100/s, 5 seconds left")


def test_nobody_is_told_elsewhere(folder):
    a = Node(folder, "a")
    a.script(SCHEMA)
    said = a.init(environment=SLOW)
    expect_equal(said.errors, "", "on a file there is no progress")
    a.write('UPDATE "item\x1b[2J" SET n = n + 1')
    with open(folder / "json", "wb") as output:
        text = run_on_terminal("--store", a.store, "capture", "--json", output=output)
    expect_equal(text, "", "nor on a terminal beside JSON that goes elsewhere")
    expect((folder / "json").read_text().startswith("{"), "the JSON is there")


def test_quick_work_needs_no_line(folder):
    a = Node(folder, "a")
    a.script("CREATE TABLE item (id INTEGER PRIMARY KEY)")
    slow, SLOW["LD_PRELOAD"] = SLOW["LD_PRELOAD"], ""
    try:
        text = run_on_terminal("--store", a.store, "init", f"sqlite:{a.database}")
    finally:
        SLOW["LD_PRELOAD"] = slow
    expect("\rinit" not in text and "read" not in text, repr(text))


main([test_each_command_shows_it, test_a_first_copy_from_postgres_counts_bytes_too,
      test_nobody_is_told_elsewhere, test_quick_work_needs_no_line])
