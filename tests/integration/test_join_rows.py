#!/usr/bin/env python3
"""Joining with a database that has rows: equal ones meet, ones that only it has become new
writes, any that differ are refused and nothing is touched."""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support"))
from rowferry import (LONG, Node, PAIR_SCHEMA, copy_folder, expect,  # noqa: E402
                      expect_equal, fault_environment, listing, main, settle)

TABLES = ("SELECT id, name, n FROM item ORDER BY id", "SELECT * FROM part ORDER BY id")


def found(folder, schema=PAIR_SCHEMA):
    """a with its fleet, all of it in the shared folder, and b without a database."""
    folder.mkdir(exist_ok=True)
    (folder / "shared").mkdir()
    a, b = Node(folder, "a"), Node(folder, "b")
    a.script(schema)
    a.init()
    a.run("token", folder / "token")
    a.sync(folder / "shared")
    return a, b


def join(b, *words):
    b.init("--join", b.folder / "token", *words)


def expect_same(a, b):
    for node in (a, b):
        node.check()
    for sql in TABLES:
        expect_equal(b.rows(sql), a.rows(sql), sql)


def counts(node):
    status = node.run("status", "--json").json()
    return status["conflicts"], status["parked"], status["quarantined"]


def test_equal_rows_meet_and_others_become_writes(folder):
    a, b = found(folder)
    b.script(PAIR_SCHEMA)
    b.write(["DELETE FROM item WHERE id = 3", "INSERT INTO item VALUES (9, 'nine', 9)",
             "INSERT INTO part VALUES ('z', 9, x'09')"])
    join(b)
    said = b.run("sync", folder / "shared", "--json").json()
    expect_equal(said["applied"]["rows"], 1, "rows that b lacked")
    expect_equal([change[:3] for change in b.changes()["b"]],
                 [("insert", "item", '{"id": 9}'), ("insert", "part", '{"id": "z"}')], "b's writes")
    settle([a, b], folder / "shared")
    expect_same(a, b)
    expect_equal(len(a.rows(TABLES[0])), 4, "item")
    for node in (a, b):
        expect_equal(counts(node), (0, 0, 0), node.name)
    b.write("UPDATE item SET n = 100 WHERE id = 1")
    a.write("DELETE FROM item WHERE id = 2")
    settle([a, b], folder / "shared")
    expect_same(a, b)


def test_rows_that_differ_are_refused_and_nothing_is_touched(folder):
    a, b = found(folder)
    b.script(PAIR_SCHEMA)
    b.write(["UPDATE item SET n = n + 1 WHERE id < 3", "DELETE FROM item WHERE id = 3",
             "UPDATE part SET data = NULL WHERE id = 'p'"])
    join(b)
    had = listing(folder / "shared")
    before = b.picture()[1:]
    for _ in range(2):
        refused = b.run("sync", folder / "shared", code=1)
        expect("(item 2, part 1; `rowferry diff`" in refused.errors, str(refused))
        expect_equal(b.picture()[1:], before, "the database")
        expect_equal(listing(folder / "shared"), had, "the folder")
    expect_equal(b.last_seq(), a.last_seq(), "the fleet's entries are in the store")
    b.refuse(1, "(item 2, part 1; `rowferry diff` lists them)", "apply")
    b.write(["UPDATE item SET n = n - 1 WHERE id < 3", "DELETE FROM part WHERE id = 'p'"])
    settle([a, b], folder / "shared")
    expect_same(a, b)
    expect_equal(b.changes().get("b", []), [], "b's writes")


def test_diff_lists_the_rows_that_differ(folder):
    """Not what only one side has, and only until the node has joined."""
    a, b = found(folder)
    b.script(PAIR_SCHEMA)
    b.write(["UPDATE item SET n = n + 1, name = 'x' || id WHERE id < 3", "DELETE FROM item WHERE id = 3",
             "UPDATE part SET data = x'ff' WHERE id = 'p'", "INSERT INTO item VALUES (9, 'nine', 9)",
             "CREATE TABLE own (id INTEGER PRIMARY KEY)", "INSERT INTO own VALUES (1), (2)"])
    join(b)
    b.refuse(1, "nothing of the fleet is here", "diff")
    b.sync(folder / "shared", code=1)
    before = b.picture()
    *lines, said = b.run("diff", "--json", code=1).json_lines()
    expect_equal([(line["kind"], line["table"], line["key"]["id"], line["columns"]) for line in lines],
                 [("changed", "item", 1, ["name", "n"]), ("changed", "item", 2, ["name", "n"]),
                  ("changed", "part", "p", ["data"])], "rows")
    expect_equal([said[name] for name in ("tables", "rows", "changed", "missing", "extra", "only_here")],
                 [2, 5, 3, 0, 0, 3], "counts")
    text = b.run("diff", code=1)
    expect("5 rows in 2 tables compared: 3 not as the fleet has them, 3 only here" in text.output and
           "make equal or take out what is listed" in text.errors, str(text))
    b.refuse(1, "sync first", "diff", f"sqlite:{a.database}")
    expect_equal(b.picture(), before, "b")
    b.write(["DELETE FROM item WHERE id < 3", "UPDATE part SET data = x'00ff' WHERE id = 'p'"])
    expect("only here" in b.run("diff").output, "equal rows")
    a.write("CREATE TABLE own (id INTEGER PRIMARY KEY)")
    settle([a, b], folder / "shared")
    expect_same(a, b)
    expect("only_here" not in b.run("diff", "--json").json(), "after it has joined")


def test_a_row_that_meets_another_in_a_unique_value_is_parked(folder):
    a, b = found(folder)
    b.script(PAIR_SCHEMA.partition("INSERT")[0])
    b.write("INSERT INTO item VALUES (7, 'one', 7)")
    join(b)
    settle([a, b], folder / "shared")
    expect_same(a, b)
    expect_equal(a.rows("SELECT id FROM item WHERE name = 'one'"), [(1,)], "the older one")
    for node in (a, b):
        expect_equal(counts(node), (0, 1, 0), node.name)


def test_a_row_that_the_fleet_has_deleted_comes_back(folder):
    """Also from a database that was last written long before that."""
    a, b = found(folder)
    a.write("DELETE FROM item WHERE id = 3")
    a.sync(folder / "shared")
    b.script(PAIR_SCHEMA)
    os.utime(b.database, (1000000000, 1000000000))
    join(b)
    settle([a, b], folder / "shared")
    expect_same(a, b)
    expect_equal(len(a.rows("SELECT * FROM item WHERE id = 3")), 1, "the row")
    expect_equal(counts(a), (0, 0, 0), "a write that has seen the delete is no conflict")


def test_columns_that_only_the_newcomer_has(folder):
    a, b = found(folder)
    b.script(PAIR_SCHEMA)
    b.script("ALTER TABLE item ADD COLUMN extra DEFAULT 5;"
             "UPDATE item SET extra = 6 WHERE id = 2")
    join(b)
    settle([a, b], folder / "shared")
    expect_same(a, b)
    expect_equal([change[2] for change in b.changes()["b"]], ['{"id": 2}'], "b's writes")
    expect_equal(b.rows("SELECT id, extra FROM item"), [(1, 5), (2, 6), (3, 5)], "extra")


def test_a_key_of_many_columns(folder):
    names = [f"k{i}" for i in range(120)]
    schema = (f"CREATE TABLE wide ({', '.join(names)}, v, PRIMARY KEY ({', '.join(names)}))"
              " WITHOUT ROWID")
    rows = "SELECT * FROM wide ORDER BY k119"
    a, b = found(folder, schema)
    b.script(schema)
    join(b)
    for i in range(2):
        a.write(f"INSERT INTO wide VALUES ({'7, ' * 119}{i}, 'new')")
    settle([a, b], folder / "shared")
    b.write("UPDATE wide SET v = 'changed' WHERE k119 = 0")
    a.write("DELETE FROM wide WHERE k119 = 1")
    settle([a, b], folder / "shared")
    for node in (a, b):
        node.check()
        expect_equal(node.rows(rows), [(7,) * 119 + (0, b"changed")], "rows")


def test_many_rows(folder):
    rows = 12000
    schema = (f"CREATE TABLE item (id TEXT PRIMARY KEY, name, n);"
              f"CREATE TABLE part (id INTEGER PRIMARY KEY);"
              f"WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < {rows})"
              f" INSERT INTO item SELECT 'key ' || n, n, n FROM i;")
    a, b = found(folder, schema)
    b.script(schema)
    b.write("DELETE FROM item WHERE n % 3 = 0")
    join(b)
    said = b.run("sync", folder / "shared", "--json").json()
    expect_equal(said["applied"]["rows"], rows // 3, "rows that b lacked")
    expect_equal(b.changes().get("b", []), [], "b's writes")
    expect_same(a, b)


def test_killed_at_any_write_it_goes_on_with_what_the_database_then_has(folder):
    """What the application deletes before this node has joined was never the fleet's from
    here; what it deletes afterwards is deleted everywhere."""
    ready = folder / "ready"
    a, b = found(ready)
    b.script(PAIR_SCHEMA)
    b.write("INSERT INTO item VALUES (9, 'nine', 9)")
    join(b)
    killed, kill, cut_off = True, 1, 0
    while killed:
        kill += 1 if LONG else 14
        place = folder / str(kill)
        copy_folder(ready, place)
        a, b = Node(place, "a"), Node(place, "b")
        ended = b.run("sync", place / "shared", code=None,
                      environment=fault_environment(kill=kill))
        expect(ended.code in (0, -9), str(ended))
        killed = ended.code != 0
        member = b.rows("SELECT count(*) FROM sqlite_schema WHERE name = 'rowferry_state'")
        compared = b.run("diff", code=None)
        cut_off += "first sync was cut off" in compared.errors
        expect(compared.code == 0 or "sync" in compared.errors or "apply" in compared.errors,
               f"killed at write {kill}: {compared}")
        b.write("DELETE FROM item WHERE id = 2")
        settle([a, b], place / "shared")
        expect_equal(b.rows(TABLES[0]), a.rows(TABLES[0]), f"killed at write {kill}")
        b.check()
        expect_equal(len(a.rows("SELECT * FROM item WHERE id = 2")), 1 - member[0][0],
                     f"killed at write {kill}: the row")
        expect_equal(len(a.rows("SELECT * FROM item WHERE id = 9")), 1, "the new row")
        expect_equal(counts(a), (0, 0, 0), "a")
    expect(kill > 20, f"only {kill} writes")
    expect(cut_off > 0, "never killed between joining and its end")



main([test_equal_rows_meet_and_others_become_writes,
      test_rows_that_differ_are_refused_and_nothing_is_touched,
      test_diff_lists_the_rows_that_differ,
      test_a_row_that_meets_another_in_a_unique_value_is_parked,
      test_a_row_that_the_fleet_has_deleted_comes_back,
      test_columns_that_only_the_newcomer_has,
      test_a_key_of_many_columns,
      test_many_rows,
      test_killed_at_any_write_it_goes_on_with_what_the_database_then_has])
