#!/usr/bin/env python3
"""log -f and status --watch show what other processes do, as it comes, and end when they are
told to or when nobody reads them any more."""

import contextlib
import fcntl
import json
import os
import pathlib
import pty
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support"))
from rowferry import Node, Run, BINARY, expect, expect_equal, main, make_pair  # noqa: E402

PATIENCE = 30  # seconds until a test gives up
MANY = 5000  # rows, more of them than a pipe holds


class Follower:
    """A rowferry that goes on, its output read line by line."""

    def __init__(self, node, *words):
        self.words = [str(word) for word in words]
        self.process = subprocess.Popen(
            [BINARY, "--store", str(node.store), *self.words], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.rest = b""

    def line(self):
        while b"\n" not in self.rest:
            ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
            expect(ready, f"{self.words}: nothing came")
            part = os.read(self.process.stdout.fileno(), 1 << 16)
            expect(part, f"{self.words}: it ended")
            self.rest += part
        line, self.rest = self.rest.split(b"\n", 1)
        return line.decode()

    def json(self):
        return json.loads(self.line())

    def end(self, number=None, code=0):
        """Send the signal, if any; it must end so, and say nothing unless it fails."""
        if number is not None:
            self.process.send_signal(number)
        self.process.wait(PATIENCE)
        errors = self.process.stderr.read().decode()
        Run(self.words, self.process.returncode, "", errors)
        expect_equal(self.process.returncode, code, f"{self.words}: {errors}")
        expect_equal(errors.count("\n"), 1 if code else 0, f"{self.words}: {errors}")
        return errors


@contextlib.contextmanager
def following(node, *words):
    follower = Follower(node, *words)
    try:
        yield follower
    finally:
        if follower.process.poll() is None:
            follower.process.kill()
            follower.process.wait()
        follower.process.stdout.close()
        follower.process.stderr.close()


def unread(pipe):
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))[0]


def make_node(folder, rows=0):
    node = Node(folder, "a")
    node.script(f"""
        CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE other (id INTEGER PRIMARY KEY);
        WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < {rows})
            INSERT INTO item SELECT n, 'a name of some length' FROM i WHERE n <= {rows}""")
    node.init()
    return node


def write(node, sql):
    node.write(sql)
    node.run("capture")


def test_prints_what_is_there_and_then_what_comes(folder):
    node = make_node(folder)
    with following(node, "log", "-f", "--json") as all_of_it, \
            following(node, "log", "-f", "--limit", "0", "--table", "other") as other, \
            following(node, "log", "--follow", "--limit", "1") as text:
        expect_equal([all_of_it.json()["kind"] for _ in range(2)], ["member", "tables"],
                     "what is there")
        expect("2 tables" in text.line(), "the last one")
        expect_equal(text.line(), "    item, other", "and what is in it")
        for n in range(1, 4):
            os.utime(node.store / "data.mdb")  # it looks, and finds nothing new
            write(node, f"INSERT INTO item VALUES ({n}, 'x')")
            entry = all_of_it.json()
            expect_equal((entry["seq"], entry["changes"][0]["key"]), (n + 2, {"id": n}),
                         "what came")
            expect("1 change" in text.line(), "in text")
            expect_equal(text.line(), f"    insert item ({n})", "in text")
            expect_equal(text.line(), "        name = 'x'", "in text")
        write(node, "INSERT INTO other VALUES (7)")
        expect("6  a  " in other.line(), "the first of that table")
        expect_equal(other.line(), "    insert other (7)", "of that table")
        all_of_it.end(signal.SIGINT)
        text.end(signal.SIGTERM)
        other.end(signal.SIGINT)


def test_knows_who_joined_meanwhile(folder):
    a, b = make_pair(folder)
    with following(a, "log", "-f", "--limit", "0", "--json") as follower:
        c = Node(folder, "c")
        c.init("--join", folder / "token", "--create-tables")
        c.sync(folder / "shared")
        c.write("INSERT INTO item VALUES (9, 'nine', 9)")
        c.sync(folder / "shared")
        a.sync(folder / "shared")
        expect_equal([follower.json()["name"] for _ in range(3)], ["c"] * 3, "its name")
        follower.end(signal.SIGINT)


def test_ends_when_nobody_reads_it(folder):
    node = make_node(folder, rows=MANY)
    for words in (["log", "-f", "--limit", "0"], ["log", "-f", "--json"]):
        with following(node, *words) as follower:
            if "--json" in words:
                follower.line()
            follower.process.stdout.close()
            follower.end()


def test_a_full_pipe_does_not_keep_it(folder):
    node = make_node(folder, rows=MANY)
    with following(node, "log", "-f") as follower:
        pipe = follower.process.stdout.fileno()
        size = fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ)
        until = time.monotonic() + PATIENCE
        while unread(pipe) <= size - 4096:  # the last page of it may stay unfilled
            expect(time.monotonic() < until, f"{unread(pipe)} of {size} bytes in the pipe")
            os.sched_yield()
        follower.end(signal.SIGTERM)


def test_says_that_the_store_is_gone(folder):
    node = make_node(folder)
    with following(node, "log", "-f", "--limit", "1") as follower:
        follower.line()
        shutil.rmtree(node.store)
        expect("data.mdb: the store was removed" in follower.end(code=3), "why it ended")


def test_status_prints_each_change_once(folder):
    node = make_node(folder)
    with following(node, "status", "--watch", "--json") as follower:
        lines = [follower.line()]
        expect_equal(json.loads(lines[0])["last_seq"], 2, "at once")
        for n in range(1, 4):
            os.utime(node.store / "data.mdb")  # it looks, and finds nothing new
            write(node, f"INSERT INTO item VALUES ({n}, 'x')")
            while json.loads(lines[-1])["last_seq"] < n + 2:
                lines.append(follower.line())
        expect_equal(len(set(lines)), len(lines), "no line twice")
        follower.end(signal.SIGTERM)


def screen_of(read, wanted):
    """Read a terminal until it shows the wanted text, without what else is drawn; False when
    it ended before."""
    said = b""
    while wanted.encode() not in said:
        ready, _, _ = select.select([read], [], [], PATIENCE)
        expect(ready, f"no '{wanted}' in {said!r}")
        said += os.read(read, 1 << 16)
    return said.decode()


def test_status_draws_itself_again(folder):
    node = make_node(folder)
    here, there = pty.openpty()
    fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", 8, 80, 0, 0))
    process = subprocess.Popen([BINARY, "--store", node.store, "status", "--watch"],
                               stdin=there, stdout=there, stderr=there,
                               start_new_session=True,
                               preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    try:
        first = screen_of(here, "\x1b[J")
        expect(first.startswith("\x1b[?7l\x1b[H\x1b[2J"), repr(first))
        expect("log          2 entries\x1b[K\r\n" in first, repr(first))
        expect("… 3 more lines" in first, f"eight lines, seven to draw on: {first!r}")
        write(node, "INSERT INTO item VALUES (1, 'x')")
        later = screen_of(here, "log          3 entries")
        expect("\x1b[2J" not in later, f"it does not flicker: {later!r}")
        os.write(here, b"\x03")  # as the key
        expect_equal(process.wait(PATIENCE), 0, "Ctrl-C ends it")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(here)
        os.close(there)


def test_wrong_usage(folder):
    node = make_node(folder)
    node.refuse(2, "--until has an end", "log", "-f", "--until", "9")
    node.refuse(2, "--limit many", "log", "--limit", "many")
    node.refuse(2, "--limit -1", "log", "--limit", "-1")
    node.refuse(2, "--watch draws on a terminal", "status", "--watch")
    node.refuse(2, "unknown option -f", "history", "-f", "item", "1")
    expect("  -f, --follow " in node.run("log", "--help").output, "the help has the letter")


if __name__ == "__main__":
    main([test_prints_what_is_there_and_then_what_comes, test_knows_who_joined_meanwhile,
          test_ends_when_nobody_reads_it, test_a_full_pipe_does_not_keep_it,
          test_says_that_the_store_is_gone, test_status_prints_each_change_once,
          test_status_draws_itself_again, test_wrong_usage])
