"""Stores and databases that are missing, locked, from the future, from a backup, or not the
right ones: one line each, the right exit code, and everything as it was."""

import concurrent.futures
import fcntl
import pathlib
import shutil
import sqlite3
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from rowferry import (TOOLS, Node, copy_folder, expect, expect_equal,  # noqa: E402
                      listing, main,
                      make_pair, refuse, settle, temporary_folder)

ready = temporary_folder()
kept = pathlib.Path(ready.name) / "kept"

WRITING = (["capture"], ["apply"], ["sync", "{}/shared"], ["run", "--once"], ["resync"])
READING = (["status"], ["log"], ["verify"], ["diff"], ["peers"], ["conflicts"],
           ["history", "item", "1"], ["blame", "item", "1"], ["quarantine", "list"])


def fleet(folder):
    """a and b, even, but for a write of a's application that nobody has captured."""
    if not kept.exists():
        a, _ = make_pair(kept)
        a.write("INSERT INTO item VALUES (10, 'ten', 10)")
    copy_folder(kept, folder / "fleet")
    return [Node(folder / "fleet", name) for name in "ab"]


def words_in(words, folder):
    return [word.replace("{}", str(folder)) for word in words]


def even(a, b):
    settle([a, b], a.folder / "shared")
    for node in (a, b):
        node.check()
    for table in ("item", "part"):
        expect_equal(a.rows(f"SELECT * FROM {table}"), b.rows(f"SELECT * FROM {table}"), table)


# ---- stores


def a_store_that_is_missing_or_something_else_is_named(folder):
    a, _ = fleet(folder)
    before = a.picture()
    empty, other = folder / "empty", folder / "other"
    empty.mkdir()
    other.mkdir()
    (other / "data.mdb").write_bytes(b"not LMDB's" * 1000)
    for words in (*WRITING, *READING):
        for store in (folder / "nowhere", empty, other):
            refuse(3, str(store), "--store", store, *words_in(words, a.folder))
    expect_equal(sorted(path.name for path in empty.iterdir()), [], "the empty folder")
    (folder / "settings").write_bytes((a.store / "rowferry.ini").read_bytes())
    for line in ("nonsense = 1\n", "foreign_keys = maybe\n", "database = " + 300 * "x" + "\n"):
        (a.store / "rowferry.ini").write_text(line)
        a.refuse(3, "rowferry.ini", "capture")
    shutil.copy(folder / "settings", a.store / "rowferry.ini")
    for name in ("node.key", "fleet.key"):
        (a.store / name).rename(folder / name)
        a.refuse(3, name, "capture")
        (folder / name).rename(a.store / name)
    expect_equal(a.picture(), before, "the good one")


def a_store_of_a_newer_format_is_named(folder):
    a, _ = fleet(folder)
    subprocess.run([TOOLS / "inspect_store", a.store, "--future"], check=True)
    before, database = (a.store / "data.mdb").read_bytes(), a.database.read_bytes()
    for words in (*WRITING, *READING):
        a.refuse(3, "format 3", *words_in(words, a.folder))
    a.refuse(1, "there is a store already", "init", f"sqlite:{a.database}")
    expect_equal((a.store / "data.mdb").read_bytes(), before, "the store")
    expect_equal(a.database.read_bytes(), database, "the database")


def a_store_in_use_is_refused_to_writers_and_open_to_readers(folder):
    a, _ = fleet(folder)
    a.set_line("lock_wait", "0")
    before = a.picture()
    a.run("export", folder / "segment")
    for name in ("capture", "apply", "import"):
        with open(a.store / f"{name}.lock", "w+") as lock:
            lock.write("4711\n")
            lock.flush()
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for words in WRITING:
                if name != "import" or words[0] in ("sync", "resync"):
                    a.refuse(1, "process 4711", *words_in(words, a.folder))
            if name == "import":
                a.refuse(1, "process 4711", "import", folder / "segment")
            for words in READING:
                a.run(*words, code=1 if words == ["diff"] else 0)
    expect_equal(a.picture(), before, "the node")
    a.run("capture")
    a.check()


# ---- databases


def a_database_that_is_missing_or_none_is_named(folder):
    a, _ = fleet(folder)
    store = a.inspect()
    away = folder / "away"
    a.database.rename(away)
    for words in (*WRITING, ["diff"]):
        a.refuse(3, str(a.database), *words_in(words, a.folder))
    expect(not a.database.exists(), "nobody makes a database")
    a.database.write_bytes(b"something else altogether\n" * 500)
    for words in (*WRITING, ["diff"]):
        a.refuse(3, str(a.database), *words_in(words, a.folder))
    a.database.unlink()
    a.database.mkdir()
    a.refuse(3, str(a.database), "capture")
    a.database.rmdir()
    expect_equal(a.inspect(), store, "the store")
    away.rename(a.database)
    a.run("capture")
    a.check()
    new = Node(folder, "new")
    new.refuse(3, "no such file", "init", f"sqlite:{new.database}")
    new.refuse(3, "", "init", f"sqlite:{folder}/nowhere/new.db")
    new.refuse(2, "sqlite:", "init", str(new.database))
    expect(not new.store.exists() and not new.database.exists(), "nothing was made")


def hold(database, how):
    """Another process's hold on the database."""
    connection = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
    connection.execute(how)
    if "IMMEDIATE" in how:
        connection.execute("UPDATE item SET n = -1")
    elif how == "BEGIN":  # a reader: who writes to the end can't commit
        connection.execute("SELECT count(*) FROM item").fetchall()
    return connection


def a_locked_database_is_named_or_read_past(folder):
    """Each waits as long as rowferry waits for other writers: all of them at once."""
    cases = [(how, mode, words, code)
             for how, mode, words, code in [
                 ("BEGIN EXCLUSIVE", "DELETE", ["capture"], 3),
                 ("BEGIN EXCLUSIVE", "DELETE", ["apply"], 3),
                 ("BEGIN EXCLUSIVE", "DELETE", ["diff"], 3),
                 ("BEGIN EXCLUSIVE", "DELETE", ["sync", "{}/shared"], 3),
                 ("BEGIN EXCLUSIVE", "DELETE", ["resync"], 3),
                 ("BEGIN IMMEDIATE", "DELETE", ["resync"], 3),
                 ("BEGIN IMMEDIATE", "DELETE", ["resync", "--prefer", "database"], 3),
                 ("BEGIN IMMEDIATE", "WAL", ["resync"], 3),
                 ("BEGIN", "DELETE", ["resync"], 3),
                 ("BEGIN", "DELETE", ["resync", "--prefer", "database"], 3),
                 ("BEGIN IMMEDIATE", "DELETE", ["apply"], 3),
                 ("BEGIN IMMEDIATE", "WAL", ["apply"], 3),
                 ("BEGIN IMMEDIATE", "DELETE", ["capture"], 0),
                 ("BEGIN IMMEDIATE", "WAL", ["capture"], 0)]]

    def attempt(number, how, mode, words, code):
        a, b = fleet(folder / str(number))
        b.write("UPDATE item SET n = 20 WHERE id = 2")
        b.run("capture")
        b.run("export", a.folder / "segment", "--since", "a")
        a.run("import", a.folder / "segment")
        a.script(f"PRAGMA journal_mode = {mode}")
        before = a.picture()
        holder = hold(a.database, how)
        try:
            if code == 0:
                a.run(*words)
            else:
                a.refuse(code, "locked", *words_in(words, a.folder))
        finally:
            holder.execute("ROLLBACK")
            holder.close()
        if code != 0:
            expect_equal(a.picture()[0], before[0], f"the store after {words}, {how} ({mode})")
        expect_equal(a.rows("SELECT n FROM item WHERE id = 2"), [(2,)], "the database")
        even(a, b)
        expect_equal(a.rows("SELECT n FROM item WHERE id = 2"), [(20,)], "the database")

    fleet(folder)
    with concurrent.futures.ThreadPoolExecutor(len(cases)) as pool:
        for tried in [pool.submit(attempt, i, *case) for i, case in enumerate(cases)]:
            tried.result()


def one_database_has_one_store(folder):
    a, b = fleet(folder)
    second = Node(a.folder, "second")
    second.database = a.database
    before = a.picture()
    second.refuse(1, a.inspect()["node"], "init", f"sqlite:{a.database}", "--name", "second")
    expect(not second.store.exists(), "no second store")
    second.refuse(1, a.inspect()["node"], "init", f"sqlite:{a.database}", "--name", "second",
                  "--join", a.folder / "token")
    expect(not second.store.exists(), "no second store")
    a.refuse(1, "there is a store already", "init", f"sqlite:{a.database}")
    expect_equal(a.picture(), before, "the node")
    # b's settings name a's database.
    settings = (b.store / "rowferry.ini").read_text()
    (b.store / "rowferry.ini").write_text(settings.replace("b.db", "a.db"))
    for words in WRITING:
        b.refuse(1, a.inspect()["node"], *words_in(words, a.folder))
    (b.store / "rowferry.ini").write_text(settings)
    expect_equal(a.picture(), before, "the node")
    # Who means it may.
    second.init("--take-over")
    second.check()
    for words in WRITING:
        a.refuse(1, second.inspect()["node"], *words_in(words, a.folder))


# ---- backups


def restored(folder):
    """a's database is yesterday's: since the copy was made a has written and taken rows."""
    a, b = fleet(folder)
    even(a, b)
    yesterday = a.database.read_bytes()
    a.write(["UPDATE item SET n = 1000 WHERE id = 1", "INSERT INTO item VALUES (11, 'e', 11)"])
    even(a, b)
    b.write(["UPDATE item SET n = 2000 WHERE id = 2", "DELETE FROM part WHERE id = 'q'"])
    even(a, b)
    today = a.rows("SELECT * FROM item"), a.rows("SELECT * FROM part")
    a.database.write_bytes(yesterday)
    return a, b, today


def a_restored_database_stops_everything_but_resync(folder):
    a, _, _ = restored(folder)
    before = a.picture()
    had = listing(a.folder / "shared")
    for words in (["capture"], ["apply"], ["sync", "{}/shared"], ["run", "--once"]):
        a.refuse(1, "resync", *words_in(words, a.folder))
    a.refuse(1, "restored", "diff")
    expect_equal(a.picture(), before, "the node")
    expect_equal(listing(a.folder / "shared"), had, "the folder")


def a_restored_database_that_lacks_only_its_own_writes_is_noticed(folder):
    """Nothing was applied since the copy: only the counter tells."""
    a, b = fleet(folder)
    even(a, b)
    yesterday = a.database.read_bytes()
    a.write("UPDATE item SET n = 1000 WHERE id = 1")
    a.run("capture")
    a.database.write_bytes(yesterday)
    before = a.picture()
    for words in (["capture"], ["apply"], ["sync", "{}/shared"]):
        a.refuse(1, "resync", *words_in(words, a.folder))
    expect_equal(a.picture(), before, "the node")


def resync_that_prefers_the_log_brings_back_today(folder):
    a, b, today = restored(folder)
    a.write("UPDATE item SET n = -5 WHERE id = 3")  # lost: the log is right
    a.write("INSERT INTO item VALUES (77, 'late', 77)")
    said = a.run("resync")
    expect_equal(said.output, "wrote 4 rows of the log into the database, removed 2 that it does"
                 " not have\n", "what was done")
    expect_equal(a.run("resync", "--json").json()["applied"]["removed"], 0, "removed again")
    a.check()
    expect_equal((a.rows("SELECT * FROM item"), a.rows("SELECT * FROM part")), today, "rows")
    had = a.last_seq()
    even(a, b)
    expect_equal(a.last_seq(), had, "the log of a")
    a.write("UPDATE item SET n = 6 WHERE id = 3")
    even(a, b)
    expect_equal(b.rows("SELECT n FROM item WHERE id = 3"), [(6,)], "a later write")


def resync_that_prefers_the_database_makes_yesterday_new(folder):
    a, b, _ = restored(folder)
    a.write("UPDATE item SET n = -5 WHERE id = 3")
    yesterday = a.rows("SELECT * FROM item"), a.rows("SELECT * FROM part")
    a.run("resync", "--prefer", "database")
    a.check()
    expect_equal((a.rows("SELECT * FROM item"), a.rows("SELECT * FROM part")), yesterday, "rows")
    even(a, b)
    expect_equal((b.rows("SELECT * FROM item"), b.rows("SELECT * FROM part")), yesterday,
                 "rows of b")
    b.write("UPDATE item SET n = 6 WHERE id = 3")
    even(a, b)
    expect_equal(a.rows("SELECT n FROM item WHERE id = 3"), [(6,)], "a later write")


def a_database_that_came_back_empty_is_a_restored_one(folder):
    """Made anew by the application: it has not even rowferry_state."""
    a, b, today = restored(folder)
    schema = [row[0] for row in sqlite3.connect(a.database).execute(
        "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND tbl_name <> 'rowferry_state'")]
    a.database.unlink()
    a.script(";".join(schema))
    before = a.picture()
    for words in (["capture"], ["apply"], ["sync", "{}/shared"]):
        a.refuse(1, "resync", *words_in(words, a.folder))
    expect_equal(a.picture(), before, "the node")
    a.run("resync", "--prefer", "log")
    expect_equal((a.rows("SELECT * FROM item"), a.rows("SELECT * FROM part")), today, "rows")
    even(a, b)


def a_restored_store_is_told_from_a_restored_database(folder):
    a, b = fleet(folder)
    even(a, b)
    shutil.copytree(a.store, folder / "yesterday")
    a.write("UPDATE item SET n = 1000 WHERE id = 1")
    even(a, b)
    b.write("UPDATE item SET n = 2000 WHERE id = 2")
    even(a, b)
    a.write("UPDATE item SET n = 3000 WHERE id = 3")
    even(a, b)
    shutil.rmtree(a.store)
    shutil.copytree(folder / "yesterday", a.store)
    before = a.picture()
    had = listing(a.folder / "shared")
    for words in (["capture"], ["apply"], ["sync", "{}/shared"]):
        a.refuse(1, "store was restored", *words_in(words, a.folder))
    for prefer in ("log", "database"):
        a.refuse(1, "older than its database", "resync", "--prefer", prefer)
    expect_equal(a.picture(), before, "the node")
    expect_equal(listing(a.folder / "shared"), had, "the folder")


def a_node_that_is_in_use_twice_is_noticed(folder):
    """Copied whole to a second laptop, and both write."""
    a, b = fleet(folder)
    even(a, b)
    copy_folder(a.folder, folder / "laptop")
    twin = Node(folder / "laptop", "a")
    a.write("UPDATE item SET n = 1000 WHERE id = 1")
    twin.write("UPDATE item SET n = 2000 WHERE id = 2")
    a.sync(a.folder / "shared")
    b.sync(a.folder / "shared")
    refused = twin.run("sync", a.folder / "shared", code=1)
    expect("--join --take-over" in refused.errors, str(refused))
    # What the twin wrote goes to b by hand, and is refused there too.
    twin.run("export", folder / "fork")
    before = b.picture()
    b.refuse(1, "--join --take-over", "import", folder / "fork")
    expect_equal(b.picture(), before, "b")
    even(a, b)


try:
    main([a_store_that_is_missing_or_something_else_is_named,
          a_store_of_a_newer_format_is_named,
          a_store_in_use_is_refused_to_writers_and_open_to_readers,
          a_database_that_is_missing_or_none_is_named,
          a_locked_database_is_named_or_read_past,
          one_database_has_one_store,
          a_restored_database_stops_everything_but_resync,
          a_restored_database_that_lacks_only_its_own_writes_is_noticed,
          resync_that_prefers_the_log_brings_back_today,
          resync_that_prefers_the_database_makes_yesterday_new,
          a_database_that_came_back_empty_is_a_restored_one,
          a_restored_store_is_told_from_a_restored_database,
          a_node_that_is_in_use_twice_is_noticed])
finally:
    ready.cleanup()
