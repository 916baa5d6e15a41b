#!/usr/bin/env python3
"""Joining with rows that are not as the fleet has them: --prefer says which are right, what
gives way is a conflict on every node, and init --from joins at once."""

import os
import pathlib
import random
import shlex
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support"))
from rowferry import (BINARY, LONG, Node, PAIR_SCHEMA, copy_folder, expect,  # noqa: E402
                      expect_equal, fault_environment, main, settle)

TABLES = ("SELECT id, name, n FROM item ORDER BY id", "SELECT * FROM part ORDER BY id")
OWN = ["UPDATE item SET n = n + 10, name = name || ' b' WHERE id < 3",
       "DELETE FROM item WHERE id = 3", "INSERT INTO item VALUES (9, 'nine', 9)",
       "UPDATE part SET data = NULL WHERE id = 'p'"]


def found(folder, schema=PAIR_SCHEMA, names="b"):
    """a with its fleet, all of it in the shared folder, and others without a database."""
    folder.mkdir(exist_ok=True)
    (folder / "shared").mkdir()
    nodes = [Node(folder, name) for name in "a" + names]
    nodes[0].script(schema)
    nodes[0].init()
    nodes[0].run("token", folder / "token")
    nodes[0].sync(folder / "shared")
    return nodes


def join(b, *words, **options):
    return b.init("--join", b.folder / "token", *words, **options)


def settle_and_check(nodes, tables=TABLES):
    settle(nodes, nodes[0].folder / "shared", 10)
    for node in nodes:
        node.check()
    for sql in tables:
        for node in nodes[1:]:
            expect_equal(node.rows(sql), nodes[0].rows(sql), f"{node.name}: {sql}")


def counts(node):
    status = node.run("status", "--json").json()
    return status["conflicts"], status["parked"], status["quarantined"]


def conflicts(node):
    """Without what is this node's own affair: numbers, times, seqs."""
    records = [line for line in node.run("conflicts", "--json").json_lines() if "rule" in line]
    return sorted((line["table"], str(line["key"]), line["kind"], line["rule"],
                   *(str((line[side]["version"], line[side]["row"], line[side]["deleted"]))
                     for side in ("winner", "loser"))) for line in records)


def test_fleet_is_shown_and_own_rows_are_conflicts_everywhere(folder):
    a, b, c = found(folder, names="bc")
    join(c, "--create-tables", "--from", folder / "shared")
    theirs = [a.rows(sql) for sql in TABLES]
    b.script(PAIR_SCHEMA)
    b.write(OWN)
    join(b, "--prefer", "fleet")
    said = b.run("sync", folder / "shared", "--json")
    expect("(item 2, part 1)" in said.errors and "kept as conflicts" in said.errors, str(said))
    expect_equal(said.json()["conflicts"], 3, "conflicts of the sync")
    settle_and_check([a, b, c])
    expect_equal([row for row in a.rows(TABLES[0]) if row[0] != 9], theirs[0], "item")
    expect_equal(a.rows(TABLES[1]), theirs[1], "part")
    for node in (a, b, c):
        expect_equal(conflicts(node), conflicts(a), node.name)
        expect_equal(counts(node), (3, 0, 0), node.name)
    expect_equal([line[:4] for line in conflicts(a)],
                 [("item", "{'id': 1}", "key", "joined"), ("item", "{'id': 2}", "key", "joined"),
                  ("part", "{'id': 'p'}", "key", "joined")], "records")
    number = next(line["number"] for line in c.run("conflicts", "--json").json_lines()
                  if line["key"] == {"id": 2})
    shown = c.run("conflicts", "show", number)
    expect("let the fleet's row win" in shown.output and "two b" in shown.output, str(shown))
    expect("as its node joined" in " ".join(c.run("conflicts").output.split()), "the list")
    c.run("conflicts", "restore", number)
    settle_and_check([a, b, c])
    expect_equal(b.rows("SELECT * FROM item WHERE id = 2"), [(2, b"two b", 12)], "restored")
    number = next(line["number"] for line in b.run("conflicts", "--json").json_lines()
                  if line["key"] == {"id": 1})
    b.run("conflicts", "keep-both", number)
    settle_and_check([a, b, c])
    expect_equal(a.rows("SELECT * FROM item WHERE n = 11"), [(10, b"one b", 11)], "kept both")
    expect_equal(counts(a), (3, 0, 0), "nothing new")


def test_local_rows_win_everywhere_without_a_conflict(folder):
    a, b = found(folder)
    b.script(PAIR_SCHEMA)
    b.write(OWN)
    ours = [b.rows(sql) for sql in TABLES]
    join(b, "--prefer", "local")
    said = b.sync(folder / "shared")
    expect("(item 2, part 1): its own are new writes" in said.errors, str(said))
    settle_and_check([a, b])
    expect_equal([row for row in a.rows(TABLES[0]) if row[0] != 3], ours[0], "item")
    expect_equal(a.rows(TABLES[1]), ours[1], "part")
    for node in (a, b):
        expect_equal(counts(node), (0, 0, 0), node.name)
    expect_equal([change[0] for change in a.changes()["b"]],
                 ["update", "update", "insert", "update"], "b's writes are successors")


def test_the_refusal_says_what_to_type(folder):
    for prefer in ("fleet", "local"):
        place = folder / f"it's {prefer}"
        a, b = found(place)
        b.script(PAIR_SCHEMA)
        b.write("UPDATE item SET n = 100 WHERE id = 1")
        join(b)
        before = b.picture()[1:]
        refused = b.refuse(1, "(item 1; `rowferry diff` lists them)", "sync", place / "shared")
        expect_equal(b.picture()[1:], before, "the database")
        command = refused.errors.split("say `")[1].split("`")[0]
        expect(command.startswith("rowferry --store ") and command.endswith(" --prefer fleet"), command)
        words = shlex.split(command)[1:-1] + [prefer]
        subprocess.run([BINARY, *words], check=True, capture_output=True)
        expect_equal(b.picture()[1:], before, "the database")
        b.sync(place / "shared")
        settle_and_check([a, b])
        expect_equal(a.rows("SELECT n FROM item WHERE id = 1"), [(1 if prefer == "fleet" else 100,)],
                     prefer)
        b.refuse(1, "has joined its fleet already", *words)


def test_init_again_is_for_the_same_node_only(folder):
    a, b = found(folder)
    b.script(PAIR_SCHEMA)
    other = Node(folder, "other")
    other.script(PAIR_SCHEMA)
    b.refuse(2, "--prefer goes with --join", "init", f"sqlite:{b.database}", "--prefer", "fleet")
    b.refuse(2, "--from goes with --join", "init", f"sqlite:{b.database}", "--from", folder / "shared")
    b.refuse(2, "give fleet or local", "init", f"sqlite:{b.database}", "--prefer", "log")
    b.refuse(3, "No such file", "init", f"sqlite:{b.database}", "--join", folder / "none",
             "--prefer", "fleet")
    expect(not b.store.exists(), "a store was made")
    join(b)
    before = b.picture()
    b.refuse(1, "there is a store already", "init", f"sqlite:{b.database}", "--join", folder / "token")
    b.refuse(1, "which has another database", "init", f"sqlite:{other.database}", "--prefer", "fleet")
    b.refuse(1, "of node b:", "init", f"sqlite:{b.database}", "--prefer", "fleet", "--name", "c")
    a.refuse(1, "which founded its fleet", "init", f"sqlite:{a.database}", "--prefer", "fleet")
    other.init()
    other.run("token", folder / "other-token")
    b.refuse(1, "which is of another fleet", "init", f"sqlite:{b.database}", "--join",
             folder / "other-token", "--prefer", "local")
    expect_equal(b.picture(), before, "b")
    again = b.run("init", f"sqlite:{b.database}", "--prefer", "local", "--json").json()
    expect_equal([again[name] for name in ("again", "joins", "prefer", "name")],
                 [True, True, "local", "b"], "init again")


def test_from_joins_at_once(folder):
    a, b, c = found(folder, names="bc")
    said = join(b, "--create-tables", "--from", folder / "shared")
    expect("made node b" in said.output and "received 3," in said.output, str(said))
    settle_and_check([a, b])
    c.script(PAIR_SCHEMA)
    c.write(OWN)
    refused = join(c, "--from", folder / "shared", code=1)
    expect("made node c" in refused.output and "(item 2, part 1;" in refused.errors, str(refused))
    expect(len(refused.errors.splitlines()) == 1, str(refused))
    refused = join(c, "--from", folder / "shared", code=1)
    expect("yet to join" in refused.output, str(refused))
    said = join(c, "--from", folder / "shared", "--prefer", "fleet", "--json").json()
    expect_equal((said["again"], said["prefer"], said["sync"]["conflicts"]), (True, "fleet", 3), str(said))
    again = join(c, "--from", folder / "shared", "--prefer", "fleet")
    expect("has joined its fleet" in again.output, str(again))
    settle_and_check([a, b, c])
    expect_equal(conflicts(b), conflicts(c), "b's and c's")


def test_a_bad_target_leaves_everything_as_it_was(folder):
    a, b = found(folder)
    for code, saying, target in ((3, "No such file", folder / "none"), (2, "not a directory", "nats://x"),
                                 (2, "a store", a.store), (3, "not a directory", folder / "token")):
        b.refuse(code, saying, "init", f"sqlite:{b.database}", "--join", folder / "token",
                 "--create-tables", "--from", target)
        expect(not b.store.exists() and not b.database.exists(), "something was made")
    (folder / "empty").mkdir()
    refused = join(b, "--create-tables", "--from", folder / "empty", code=1)
    expect("nothing of the fleet is here" in refused.errors, str(refused))
    join(b, "--create-tables", "--from", folder / "shared")
    settle_and_check([a, b])


def test_killed_at_any_write_the_same_command_again_succeeds(folder):
    for prefer in ("fleet", "local"):
        ready = folder / prefer / "ready"
        ready.parent.mkdir()
        a, b = found(ready)
        b.script(PAIR_SCHEMA)
        b.write(OWN)
        killed, kill = True, 0
        while killed:
            kill += 1 if LONG else 47
            place = folder / prefer / str(kill)
            copy_folder(ready, place)
            a, b = Node(place, "a"), Node(place, "b")
            words = ("--from", place / "shared", "--prefer", prefer)
            ended = join(b, *words, code=None, environment=fault_environment(kill=kill))
            expect(ended.code in (0, -9), str(ended))
            killed = ended.code != 0
            join(b, *words)
            settle_and_check([a, b])
            expect_equal(a.rows("SELECT n FROM item WHERE id = 1"), [(1 if prefer == "fleet" else 11,)],
                         f"killed at write {kill}")
            expect_equal(conflicts(a), conflicts(b), f"killed at write {kill}")
            expect_equal(counts(a)[0], 3 if prefer == "fleet" else 0, f"killed at write {kill}")
        expect(kill > 40, f"only {kill} writes")


def test_what_changes_while_the_join_is_cut_off(folder):
    """The application writes between a killed first sync and the next."""
    ready = folder / "ready"
    a, b = found(ready)
    b.script(PAIR_SCHEMA)
    b.write(OWN)
    join(b, "--prefer", "fleet")
    killed, kill, joined = True, 0, 0
    while killed:
        kill += 1 if LONG else 29
        place = folder / str(kill)
        copy_folder(ready, place)
        a, b = Node(place, "a"), Node(place, "b")
        ended = b.run("sync", place / "shared", code=None, environment=fault_environment(kill=kill))
        killed = ended.code != 0
        joining = b.run("status", "--json").json()["joining"]
        joined += not joining
        b.write("UPDATE item SET n = n + 1000 WHERE id = 1")
        settle_and_check([a, b])
        expect_equal(conflicts(a), conflicts(b), f"killed at write {kill}")
        if joining:
            expect_equal(a.rows("SELECT n FROM item WHERE id = 1"), [(1,)], f"killed at write {kill}")
        shown = [line["loser"]["row"]["n"] for line in a.run("conflicts", "--json").json_lines()
                 if line["key"] == {"id": 1}]
        if joining:
            expect(1011 in shown, f"killed at write {kill}: {shown}")
    expect(kill > 20 and joined > 0, f"only {kill} writes")


COLUMNS = """
CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT{});
INSERT INTO item (id, name) VALUES (1, 'one'), (2, 'two'), (3, 'three');
"""


def test_columns_that_one_side_lacks(folder):
    for prefer in ("fleet", "local"):
        a, b = found(folder / prefer, COLUMNS.format(", theirs DEFAULT 'fleet'"))
        b.script(COLUMNS.format(", own DEFAULT 'mine'"))
        b.write(["UPDATE item SET name = 'other', own = 'x' WHERE id = 1",
                 "UPDATE item SET own = 'y' WHERE id = 2"])
        join(b, "--prefer", prefer, "--from", folder / prefer / "shared")
        settle([a, b], folder / prefer / "shared")
        for node in (a, b):
            node.check()
        name = b"one" if prefer == "fleet" else b"other"
        expect_equal(a.rows("SELECT * FROM item"),
                     [(1, b"one", b"fleet"), (2, b"two", b"fleet"), (3, b"three", b"fleet")],
                     f"{prefer}: what has values for columns that a lacks waits there")
        expect_equal(len(b.rows("SELECT * FROM item")), 3, "b's rows")
        a.script("ALTER TABLE item ADD COLUMN own DEFAULT 'mine'")
        b.script("ALTER TABLE item ADD COLUMN theirs DEFAULT 'fleet'")
        tables = ("SELECT id, name, theirs, own FROM item ORDER BY id",)
        settle_and_check([a, b], tables)
        expect_equal([counts(node)[2] for node in (a, b)], [0, 0], "quarantine")
        expect_equal(a.rows("SELECT name, theirs FROM item WHERE id = 1"), [(name, b"fleet")], prefer)
        expect_equal(conflicts(a), conflicts(b), prefer)
        expect_equal(counts(a)[0], 1 if prefer == "fleet" else 0, prefer)


def test_unique_values_and_parents_that_clash(folder):
    """Values that changed places, one that a row only here has, a child whose parent goes."""
    for prefer in ("fleet", "local"):
        a, b, c = found(folder / prefer, names="bc")
        join(c, "--create-tables", "--from", folder / prefer / "shared")
        b.script(PAIR_SCHEMA)
        b.write(["UPDATE item SET name = 'tmp' WHERE id = 1",
                 "UPDATE item SET name = 'one' WHERE id = 2", "UPDATE item SET name = 'two' WHERE id = 1",
                 "DELETE FROM item WHERE id = 3", "INSERT INTO item VALUES (8, 'three', 8)",
                 "INSERT INTO part VALUES ('r', 8, NULL)", "UPDATE part SET item = 8 WHERE id = 'q'"])
        c.write("DELETE FROM item WHERE id = 2")
        c.sync(folder / prefer / "shared")
        a.write("UPDATE item SET n = 22 WHERE id = 2")
        join(b, "--prefer", prefer, "--from", folder / prefer / "shared")
        settle_and_check([a, b, c])
        for node in (a, b, c):
            expect_equal(conflicts(node), conflicts(a), node.name)
            expect_equal(counts(node)[1:], counts(a)[1:], node.name)
        expect(counts(a)[1] > 0, "8 and its child are parked")


def test_tables_with_a_direction(folder):
    for prefer in ("fleet", "local"):
        for direction in ("in", "out"):
            place = folder / f"{prefer}-{direction}"
            a, b = found(place)
            b.script(PAIR_SCHEMA)
            b.write("UPDATE item SET n = 100 WHERE id = 1")
            (place / "settings").write_text(f"[table item]\ndirection = {direction}\n")
            join(b, "--prefer", prefer, "--settings", place / "settings", "--from", place / "shared")
            settle([a, b], place / "shared")
            for node in (a, b):
                node.check()
            n = [node.rows("SELECT n FROM item WHERE id = 1")[0][0] for node in (a, b)]
            wanted = {("fleet", "in"): [1, 1], ("local", "in"): [1, 1],
                      ("fleet", "out"): [1, 100], ("local", "out"): [100, 100]}
            expect_equal(n, wanted[prefer, direction], f"{prefer} {direction}")
            if direction == "out":
                b.write("UPDATE item SET n = 101 WHERE id = 1")
                settle([a, b], place / "shared")
                a.check()
                b.check()
                expect_equal(a.rows("SELECT n FROM item WHERE id = 1"), [(101,)], "a later write")


def test_rows_that_the_schema_refuses(folder):
    """A fleet's row that the newcomer's stricter table refuses stays out, its own is shown."""
    a, b = found(folder, "CREATE TABLE item (id INTEGER PRIMARY KEY, n);"
                         "INSERT INTO item VALUES (1, 'x'), (2, 2)")
    b.script("CREATE TABLE item (id INTEGER PRIMARY KEY, n CHECK (typeof(n) = 'integer'));"
             "INSERT INTO item VALUES (1, 1), (2, 3)")
    join(b, "--prefer", "fleet", "--from", folder / "shared")
    settle([a, b], folder / "shared")
    for node in (a, b):
        node.check()
        expect_equal(counts(node)[0], 2, node.name)
    expect_equal(counts(b)[2], 1, "quarantined")
    expect_equal(b.rows("SELECT n FROM item"), [(1,), (2,)], "b")
    a.write("UPDATE item SET n = 5 WHERE id = 1")
    settle_and_check([a, b], ("SELECT * FROM item",))


def test_no_rows_at_all(folder):
    for prefer in ("fleet", "local"):
        a, b = found(folder / prefer)
        b.script(PAIR_SCHEMA.partition("INSERT")[0])
        said = join(b, "--prefer", prefer, "--from", folder / prefer / "shared")
        expect_equal(said.errors, "", "nothing differs")
        settle_and_check([a, b])
        expect_equal(b.changes().get("b", []), [], "b's writes")
        expect_equal(counts(a), (0, 0, 0), "a")


def test_many_rows(folder):
    rows = 200000 if LONG else 6000
    schema = (f"CREATE TABLE item (id TEXT PRIMARY KEY, name, n);"
              f"WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < {rows})"
              f" INSERT INTO item SELECT 'key ' || n, hex(zeroblob(60)), n FROM i;")
    a, b = found(folder, schema)
    b.script(schema)
    b.write("UPDATE item SET n = -n")
    join(b, "--prefer", "fleet", "--from", folder / "shared")
    settle_and_check([a, b], TABLES[:1])
    expect_equal((counts(a), counts(b)), ((rows, 0, 0), (rows, 0, 0)), "conflicts")
    expect_equal(b.rows("SELECT count(*) FROM item WHERE n < 0"), [(0,)], "the fleet's")


def random_write(rng, node, tag):
    key, name = rng.randrange(1, 9), rng.choice(["u", "v", "w", tag])
    node.write(rng.choice([
        f"INSERT OR REPLACE INTO item VALUES ({key}, '{name}', {rng.randrange(3)})",
        f"UPDATE item SET n = {rng.randrange(3)} WHERE id = {key}",
        f"DELETE FROM item WHERE id = {key}",
        f"INSERT OR REPLACE INTO part VALUES ('{rng.choice('pqrs')}', {rng.choice([key, 'NULL'])}, NULL)",
        f"DELETE FROM part WHERE id = '{rng.choice('pqrs')}'"]))


def run_random(folder, seed):
    rng = random.Random(seed)
    nodes = found(folder, names="bcd")
    a, others = nodes[0], nodes[1:]
    for node in others:
        node.script(PAIR_SCHEMA if rng.random() < 0.8 else PAIR_SCHEMA.partition("INSERT")[0])
        for i in range(rng.randrange(6)):
            random_write(rng, node, f"{node.name}{i}")
    members, left = [a], list(others)
    for i in range(30):
        if left and rng.random() < 0.15:
            node = left.pop()
            join(node, "--prefer", rng.choice(["fleet", "local"]), "--from", folder / "shared")
            members.append(node)
        elif rng.random() < 0.5:
            random_write(rng, rng.choice(members), f"x{i}")
        else:
            rng.choice(members).sync(folder / "shared")
    settle_and_check(members)
    losers = [{line[:2] + line[5:] for line in conflicts(node)} for node in members]
    for node, own in zip(members, losers):
        expect_equal(sorted(own), sorted(losers[0]), f"{node.name}: which rows lost")


def test_random_joins_converge(folder):
    seed = int(os.environ.get("ROWFERRY_SEED", random.randrange(1 << 31)))
    for i in range(200 if LONG else 2):
        try:
            run_random(folder / str(i), seed + i)
        except Exception:
            print(f"ROWFERRY_SEED={seed + i}", flush=True)
            raise


main([test_fleet_is_shown_and_own_rows_are_conflicts_everywhere,
      test_local_rows_win_everywhere_without_a_conflict,
      test_the_refusal_says_what_to_type,
      test_init_again_is_for_the_same_node_only,
      test_from_joins_at_once,
      test_a_bad_target_leaves_everything_as_it_was,
      test_killed_at_any_write_the_same_command_again_succeeds,
      test_what_changes_while_the_join_is_cut_off,
      test_columns_that_one_side_lacks,
      test_unique_values_and_parents_that_clash,
      test_tables_with_a_direction,
      test_rows_that_the_schema_refuses,
      test_no_rows_at_all,
      test_many_rows,
      test_random_joins_converge])
