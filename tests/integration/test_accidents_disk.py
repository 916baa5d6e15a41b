"""A full disk and read-only places: one line, exit 3, nothing lost; and when there is room
again the same command does its work.

The disk is full twice: in a small tmpfs, where this process may mount one, and, for anybody,
by tests/tools/fault_shim.c, which has the disk full from each of a command's writes on."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from rowferry import (BINARY, LONG, Node, copy_folder, expect, expect_equal,  # noqa: E402
                      fault_environment, listing, main, make_pair, temporary_folder)

TRIES_MAX = 10**9 if LONG else 4  # of each command, at different writes
NOBODY = 65534
INSIDE = "ROWFERRY_TEST_MOUNT"  # set within the namespace where the disk is small

ready = temporary_folder()
kept = pathlib.Path(ready.name) / "kept"

MANY = ("INSERT INTO part SELECT 'many ' || value, 1, randomblob(1000) FROM (WITH RECURSIVE "
        "n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n LIMIT 600) SELECT value FROM n)")


def fleet(folder):
    """a with a write that nobody has captured; two entries of b's that it lacks, in the
    folder and in the file `segment`."""
    if not kept.exists():
        a, b = make_pair(kept)
        b.write("INSERT INTO item VALUES (20, 'twenty', 20)")
        b.run("capture")
        b.write(MANY)
        b.run("capture")
        b.run("export", kept / "segment", "--since", "a")
        b.sync(kept / "shared")
        a.write("INSERT INTO item VALUES (10, 'ten', 10)")
    copy_folder(kept, folder)
    return [Node(folder, name) for name in "ab"]


def even(a, b):
    """Bring both together: each write is there, and once."""
    for node in (a, b, a):
        node.sync(a.folder / "shared")
    a.run("verify")
    for node in (a, b):
        node.run("diff")
        expect_equal(node.rows("SELECT id, n FROM item WHERE id >= 10"), [(10, 10), (20, 20)],
                     f"items of {node.name}")
        expect_equal(node.rows("SELECT count(*) FROM part"), [(602,)], f"parts of {node.name}")
    found = a.changes()
    expect_equal((len(found["a"]), len(found["b"])), (6, 601), "the log of a")


COMMANDS = [(["capture"], False), (["sync", "{}/shared"], False), (["import", "{}/segment"], False),
            (["apply"], True), (["export", "{}/out"], False)]


def prepare(folder, words, imported):
    a, b = fleet(folder)
    if imported:
        a.run("import", folder / "segment")
    return a, b, [word.replace("{}", str(folder)) for word in words]


def growing_writes(folder, words, imported):
    a, _, words = prepare(folder, words, imported)
    a.run(*words, environment=fault_environment(trace=folder / "trace", full=10**9))
    lines = (folder / "trace").read_text().splitlines()
    return sum(not line.startswith("- ") for line in lines)


def a_disk_that_fills_at_any_write_loses_nothing(folder):
    for words, imported in COMMANDS:
        count = growing_writes(folder / words[0], words, imported)
        step = max(1, count // TRIES_MAX)
        for number in range(1, count + 1, step):
            place = folder / f"{words[0]} {number}"
            a, b, there = prepare(place, words, imported)
            rows = a.rows("SELECT * FROM item")
            files = sorted(path.name for path in (place / "shared").iterdir())
            a.refuse(3, "", *there, environment=fault_environment(full=number))
            if words[0] != "sync":
                expect_equal(a.rows("SELECT * FROM item"), rows, f"{words} at {number}: rows")
                expect_equal(sorted(path.name for path in (place / "shared").iterdir()), files,
                             f"{words} at {number}: files")
            expect(not (place / "out").exists(), f"{words} at {number}: half a segment")
            expect(not list((place / "shared").glob(".*")), f"{words} at {number}: leftovers")
            a.run("verify")
            a.run(*there)
            even(a, b)
            shutil.rmtree(place)
        print(f"        {words[0]}: full at {len(range(1, count + 1, step))} of {count} writes")


def an_init_on_a_full_disk_leaves_nothing(folder):
    a = Node(folder, "a")
    a.script("CREATE TABLE t (id INTEGER PRIMARY KEY, x)")
    a.write("INSERT INTO t VALUES (1, randomblob(100000))")
    before = a.database.read_bytes()
    trace = folder / "trace"
    copy_folder(folder, folder.parent / f"{folder.name}-copy")
    twin = Node(folder.parent / f"{folder.name}-copy", "a")
    twin.init(environment=fault_environment(trace=trace, full=10**9))
    shutil.rmtree(twin.folder)
    count = sum(not line.startswith("- ") for line in trace.read_text().splitlines())
    trace.unlink()
    for number in range(1, count + 1):
        refused = a.init(code=3, environment=fault_environment(full=number))
        expect_equal(refused.errors.count("\n"), 1, f"lines at write {number}: {refused}")
        expect_equal(sorted(path.name for path in folder.iterdir()), ["a.db"],
                     f"what is left at write {number}")
        if number <= count // 2:
            expect_equal(a.database.read_bytes(), before, f"the database at write {number}")
    a.init()
    a.check()


# ---- a disk that is really full


def fill(folder, leave):
    """Leave so many bytes free."""
    free = shutil.disk_usage(folder).free
    with open(folder / "filler", "wb") as filler:
        filler.write(bytes(max(0, free - leave)))


def told(output):
    """How many entries are new in the log by what a command said."""
    received = re.search(r"received (\d+)", output)
    captured = re.search(r"captured (\d+) change", output)
    return int(received[1] if received else 0) + int(captured[1] if captured else 0)


def inside_a_small_disk():
    """In a mount namespace of its own: INSIDE is where to mount."""
    place = pathlib.Path(os.environ[INSIDE])
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", place], check=True)
    for mode in ("DELETE", "WAL"):
        for words, imported in COMMANDS if mode == "DELETE" else COMMANDS[1::2]:
            for leave in (0, 60 << 10, 400 << 10):
                folder = place / f"{words[0]} {mode} {leave}"
                a, b, there = prepare(folder, words, imported)
                a.script(f"PRAGMA journal_mode = {mode}")
                fill(place, leave)
                had = a.last_seq()
                said = a.run(*there, code=None)
                (place / "filler").unlink()
                expect(told(said.output) <= a.last_seq() - had,
                       f"more told than is in the log, {leave} bytes left ({mode}): {said}")
                expect(said.code == 0 or (said.code == 3 and said.errors.count("\n") == 1),
                       f"with {leave} bytes left ({mode}): {said}")
                expect(said.code == 3 or leave > 0, f"with nothing left ({mode}): {said}")
                expect("mdb_" not in said.errors or
                       f"{a.store}: no room for the store: free some disk" in said.errors,
                       f"with {leave} bytes left ({mode}): {said}")
                a.run("verify")
                if said.code == 3:
                    a.run(*there)
                even(a, b)
                shutil.rmtree(folder)


def a_small_disk_that_is_full_loses_nothing(folder):
    probe = subprocess.run(["unshare", "--user", "--map-root-user", "--mount", "mount", "-t",
                            "tmpfs", "-o", "size=1m", "none", folder], capture_output=True)
    if probe.returncode != 0:
        print(f"        not here: {probe.stderr.decode().strip()}")
        return
    ended = subprocess.run(["unshare", "--user", "--map-root-user", "--mount", sys.executable,
                            __file__], env={**os.environ, INSIDE: str(folder)},
                           capture_output=True)
    expect(ended.returncode == 0, ended.stdout.decode() + ended.stderr.decode())


# ---- places that may only be read


def hand_over(folder):
    """Root may write anywhere: as root, run as nobody what belongs to nobody. The user to run
    as, or None."""
    if os.geteuid() != 0:
        return None
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, NOBODY, NOBODY)
    for path in [folder.parent, folder.parent.parent]:
        if path.name.startswith("rowferry-test-"):
            path.chmod(0o755)
    return NOBODY


def can_run(user):
    probe = subprocess.run([BINARY, "--version"], user=user, capture_output=True)
    return probe.returncode == 0


def a_place_that_may_only_be_read_is_named(folder):
    a, b = fleet(folder / "fleet")
    shared = a.folder / "shared"
    user = hand_over(a.folder)
    try:
        runs = can_run(user)
    except PermissionError:
        runs = False
    if not runs:
        print("        not here: nobody may not run the binary")
        return
    a.run("import", a.folder / "segment", user=user)
    before, had = a.picture(), listing(shared)
    wal = a.database.with_name("a.db-wal")
    cases = [
        ("the database", [a.database], 0o400, ["apply"], "a.db"),
        ("the database", [a.database], 0o000, ["capture"], "a.db"),
        ("the database", [a.database], 0o000, ["diff"], "a.db"),
        ("the store", [a.store], 0o000, ["status"], "a.store"),
        ("the store", [a.store, *a.store.iterdir()], 0o400, ["capture"], "a.store"),
        ("the keys", [a.store / "node.key"], 0o000, ["capture"], "node.key"),
        ("the folder", [shared], 0o000, ["sync", str(shared)], str(shared)),
        ("a segment", [a.folder / "segment"], 0o000, ["import", str(a.folder / "segment")],
         "segment"),
        ("the place of an export", [a.folder], 0o500, ["export", str(a.folder / "out")], "out"),
    ]
    for when, paths, mode, words, saying in cases:
        modes = [path.stat().st_mode for path in paths]
        for path in reversed(paths):
            path.chmod(mode)
        try:
            a.refuse(3, saying, *words, user=user)
        finally:
            for path, old in zip(paths, modes):
                path.chmod(old)
        expect_equal(a.picture(), before, f"after {words}: {when} was read-only")
    # What can be read is read all the same.
    shared.chmod(0o500)
    a.refuse(3, str(shared), "sync", shared, user=user)
    expect_equal(listing(shared), had, "the folder")
    shared.chmod(0o700)
    expect_equal(wal.exists(), False, "a -wal")
    expect_equal(a.rows("SELECT n FROM item WHERE id = 20"), [(20,)], "what was received")
    expect_equal(a.inspect()["last_seq"], before[0]["last_seq"] + 1, "what was captured")
    a.run("sync", shared, user=user)
    even(a, b)


def run_tests():
    if INSIDE in os.environ:
        inside_a_small_disk()
        return
    main([a_disk_that_fills_at_any_write_loses_nothing, an_init_on_a_full_disk_leaves_nothing,
          a_small_disk_that_is_full_loses_nothing, a_place_that_may_only_be_read_is_named])


try:
    run_tests()
finally:
    ready.cleanup()
