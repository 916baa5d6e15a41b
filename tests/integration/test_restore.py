#!/usr/bin/env python3
"""What lost to a concurrent write is brought back: in place of the winner, or beside it,
as a new change that travels and has seen the winner."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support"))
from rowferry import expect, expect_equal, main, make_pair, settle  # noqa: E402

ITEM = "SELECT * FROM item ORDER BY id"


def met(folder, a_sql, b_sql, schema=None):
    """A pair; a writes, b writes later, and both have met: b's write won."""
    a, b = make_pair(folder, schema) if schema else make_pair(folder)
    a.write(a_sql)
    a.run("capture")
    b.write(b_sql)
    b.run("capture")
    settle([a, b], folder / "shared")
    return a, b


def conflicts(node):
    return [one for one in node.run("conflicts", "--json").json_lines() if "number" in one]


def expect_equal_nodes(a, b, sql=ITEM):
    for node in (a, b):
        node.check()
    expect_equal(b.rows(sql), a.rows(sql), sql)


def newest(node):
    return node.log()[-1]


def test_the_loser_comes_back_as_a_new_change_that_travels_and_wins(folder):
    a, b = met(folder, "UPDATE item SET name = 'a', n = 10 WHERE id = 2",
               "UPDATE item SET name = 'b' WHERE id = 2")
    expect_equal(a.rows(ITEM)[1], (2, b"b", 2), "the winner")
    said = a.run("conflicts", "restore", "1", "--json").json()
    expect_equal((said["result"], said["table"], said["key"]), ("written", "item", {"id": 2}), "said")
    entry = newest(a)
    expect_equal(entry["seq"], said["seq"], "the entry")
    expect_equal(entry["note"], "restored conflict 1", "its note")
    expect_equal(entry["changes"][0]["old"], {"name": "b", "n": 2}, "what it changed")
    settle([a, b], folder / "shared")
    expect_equal_nodes(a, b)
    expect_equal(b.rows(ITEM)[1], (2, b"a", 10), "restored")
    for node in (a, b):
        expect_equal(len(conflicts(node)), 1, "the restored write had seen the winner")


def test_what_is_so_already_is_not_written_again(folder):
    a, b = met(folder, "UPDATE item SET n = 10 WHERE id = 2", "UPDATE item SET n = 20 WHERE id = 2")
    b.run("conflicts", "restore", "1")
    before = b.last_seq()
    again = b.run("conflicts", "restore", "1")
    expect("nothing was written" in again.output, str(again))
    expect_equal(b.run("conflicts", "restore", "1", "--json").json()["result"], "same", "json")
    expect_equal(b.last_seq(), before, "the log")


def test_a_delete_that_lost_and_a_row_that_is_gone(folder):
    a, b = met(folder, "DELETE FROM item WHERE id = 2", "UPDATE item SET n = 20 WHERE id = 2")
    expect_equal(a.run("conflicts", "restore", "1", "--json").json()["result"], "deleted", "said")
    settle([a, b], folder / "shared")
    expect_equal_nodes(a, b)
    expect_equal(len(b.rows(ITEM)), 2, "rows")
    folder = folder / "gone"
    folder.mkdir()
    a, b = met(folder, "UPDATE item SET n = 20 WHERE id = 2", "DELETE FROM item WHERE id = 2")
    expect_equal(b.run("conflicts", "restore", "1", "--json").json()["result"], "inserted", "said")
    settle([a, b], folder / "shared")
    expect_equal_nodes(a, b)
    expect_equal(a.rows(ITEM)[1], (2, b"two", 20), "restored")


def test_a_write_that_nobody_captured_stays_and_is_no_part_of_it(folder):
    a, b = met(folder, "UPDATE item SET n = 10 WHERE id = 2", "UPDATE item SET n = 20 WHERE id = 2")
    a.write(["UPDATE item SET name = 'later' WHERE id = 3", "UPDATE item SET n = 30 WHERE id = 2"])
    a.run("conflicts", "restore", "1")
    entry = newest(a)
    expect_equal([change["old"] for change in entry["changes"]], [{"n": 30}], "the restore alone")
    settle([a, b], folder / "shared")
    expect_equal_nodes(a, b)
    expect_equal(b.rows(ITEM)[1:], [(2, b"two", 10), (3, b"later", 3)], "rows")


def test_a_column_that_only_this_database_has_keeps_its_value(folder):
    a, b = met(folder, "UPDATE item SET n = 10 WHERE id = 2", "UPDATE item SET n = 20 WHERE id = 2")
    b.script("ALTER TABLE item ADD COLUMN extra; UPDATE item SET extra = 'x' WHERE id = 2")
    b.run("conflicts", "restore", "1")
    expect_equal(b.rows(ITEM)[1], (2, b"two", 10, b"x"), "restored")
    b.check()


def test_what_the_database_refuses_changes_nothing(folder):
    a, b = met(folder, "UPDATE item SET name = 'x' WHERE id = 2", "UPDATE item SET n = 20 WHERE id = 2")
    a.write("UPDATE item SET name = 'x' WHERE id = 3")
    a.run("run", "--once")
    before = a.picture()
    a.refuse(1, "UNIQUE constraint failed: item.name", "conflicts", "restore", "1")
    a.refuse(1, "there is no conflict 7", "conflicts", "restore", "7")
    a.refuse(1, "is of one row, not of two rows with one key: `rowferry conflicts restore 1`",
             "conflicts", "keep-both", "1")
    expect_equal(a.picture(), before, "store and database")
    a.check()


def test_triggers_and_foreign_keys_as_for_an_application(folder):
    a, b = met(folder, "DELETE FROM item WHERE id = 3", "UPDATE item SET n = 20 WHERE id = 3")
    a.script("CREATE TABLE seen (id); CREATE TRIGGER t AFTER DELETE ON item BEGIN"
             " INSERT INTO seen VALUES (old.id); END;")
    a.write("INSERT INTO part VALUES ('child', 3, NULL)")
    a.refuse(1, "FOREIGN KEY constraint failed", "conflicts", "restore", "1")
    expect_equal(a.rows("SELECT * FROM seen"), [], "rolled back")
    a.write("DELETE FROM part WHERE id = 'child'")
    a.run("conflicts", "restore", "1")
    expect_equal(a.rows("SELECT * FROM seen"), [(3,)], "the trigger has fired")
    a.check()


TWO = ("INSERT INTO item VALUES (4, 'apple', 1)", "INSERT INTO item VALUES (4, 'bread', 2)")


def test_two_rows_of_one_key_are_kept_both(folder):
    a, b = met(folder, *TWO)
    found = conflicts(b)[0]
    expect_equal((found["kind"], found["two_inserts"]), ("key", True), "its kind")
    expect("two rows, one key" in b.run("conflicts").output, "the list says it")
    b.write("INSERT INTO item VALUES (9, 'nine', 9)")
    said = b.run("conflicts", "keep-both", "1", "--json").json()
    expect_equal((said["result"], said["key"]), ("inserted", {"id": 10}), "said")
    expect_equal(newest(b)["note"], "kept both rows of conflict 1", "its note")
    settle([a, b], folder / "shared")
    expect_equal_nodes(a, b)
    expect_equal(a.rows(ITEM)[3:], [(4, b"bread", 2), (9, b"nine", 9), (10, b"apple", 1)], "rows")
    for node in (a, b):
        expect_equal(len(conflicts(node)), 1, "conflicts")


def test_a_key_that_was_given_away_is_not_given_again(folder):
    schema = "CREATE TABLE item (id INTEGER PRIMARY KEY AUTOINCREMENT, name, n);"
    a, b = met(folder, *TWO, schema)
    b.write(["INSERT INTO item VALUES (20, 'x', 0)", "DELETE FROM item WHERE id = 20"])
    b.run("conflicts", "keep-both", "1")
    expect_equal(b.rows("SELECT max(id) FROM item"), [(21,)], "AUTOINCREMENT")
    folder = folder / "plain"
    folder.mkdir()
    a, b = met(folder, *TWO)
    b.write("INSERT INTO item VALUES (5, 'gone', 0)")
    b.run("capture")
    b.write("DELETE FROM item WHERE id = 5")
    b.run("conflicts", "keep-both", "1")
    expect_equal(b.rows("SELECT max(id) FROM item"), [(6,)], "a key that a row had")


def test_a_key_is_said_where_none_can_be_chosen(folder):
    schema = "CREATE TABLE item (id TEXT, place INTEGER, name, PRIMARY KEY (id, place)) WITHOUT ROWID;"
    a, b = met(folder, "INSERT INTO item VALUES ('k', 1, 'apple')",
               "INSERT INTO item VALUES ('k', 1, 'bread')", schema)
    before = b.picture()
    b.refuse(1, "say which one the row shall have, by --key VALUE", "conflicts", "keep-both", "1")
    b.refuse(2, "the key of item has 2 columns", "conflicts", "keep-both", "1", "--key", "x")
    b.refuse(1, "another row of item has this key", "conflicts", "keep-both", "1", "--key", "k",
             "--key", "1")
    b.refuse(2, "--key is for keep-both", "conflicts", "restore", "1", "--key", "k")
    b.refuse(2, "not a conflict's number", "conflicts", "keep-both", "x")
    b.refuse(2, "give list, show N, restore N or keep-both N", "conflicts", "forget", "1")
    expect_equal(b.picture(), before, "store and database")
    said = b.run("conflicts", "keep-both", "1", "--key", "k", "--key", "02", "--json").json()
    expect_equal(said["key"], {"id": "k", "place": 2}, "said")
    settle([a, b], folder / "shared")
    expect_equal_nodes(a, b, "SELECT * FROM item")
    expect_equal(a.rows("SELECT * FROM item"), [(b"k", 1, b"bread"), (b"k", 2, b"apple")], "rows")


def test_show_prints_both_rows_side_by_side(folder):
    a, b = met(folder, ["UPDATE item SET name = 'a long name that takes more than one line of a cell, "
                        "and more than two', n = 1 WHERE id = 2"], "UPDATE item SET n = 5 WHERE id = 2")
    shown = b.run("conflicts", "show", "1", environment={"TZ": "XXX-5:30"})
    lines = shown.output.splitlines()
    expect(all(len(line) < 80 for line in lines), str(shown))
    expect(lines[0] == "conflict 1: item (2)", str(shown))
    expect(any(line.split() == ["node", "b", "a"] for line in lines), str(shown))
    expect(sum("+0530" in line for line in lines) == 2, "local time: " + str(shown))
    expect(any(line.split() == ["*", "n", "5", "1"] for line in lines), str(shown))
    expect(any(line.startswith("* name  'two'") for line in lines), str(shown))
    expect(any(line.startswith("  id ") for line in lines), str(shown))
    expect("written again" not in shown.output, str(shown))
    said = b.run("conflicts", "show", "1", "--json").json()
    expect_equal((said["number"], said["state"], said["loser"]["name"]), (1, "open", "a"), "json")
    b.run("conflicts", "restore", "1")
    expect("is again what the write that lost" in b.run("conflicts", "show", "1").output, "restored")
    expect_equal(b.run("conflicts", "show", "1", "--json").json()["state"], "restored", "json")
    b.refuse(1, "there is no conflict 2", "conflicts", "show", "2")


def test_show_of_a_delete_and_of_columns_that_one_side_lacks(folder):
    a, b = met(folder, "DELETE FROM item WHERE id = 2", "UPDATE item SET n = 5 WHERE id = 2")
    shown = b.run("conflicts", "show", "1").output.splitlines()
    expect(any(line.split() == ["row", "deleted"] for line in shown), str(shown))
    expect(not any(line.startswith("*") for line in shown), str(shown))
    a.script("ALTER TABLE item ADD COLUMN extra DEFAULT 7")
    a.write("UPDATE item SET n = 8 WHERE id = 1")
    a.run("capture")
    b.write("UPDATE item SET n = 9 WHERE id = 1")
    settle([b, a], folder / "shared")
    number = str(conflicts(b)[-1]["number"])
    shown = b.run("conflicts", "show", number).output.splitlines()
    expect(any(line.split() == ["*", "extra", "7"] for line in shown), str(shown))


def states(node, *words):
    return [(one["number"], one["state"]) for one in
            node.run("conflicts", *words, "--json").json_lines() if "number" in one]


def test_the_list_says_what_became_of_each(folder):
    schema = """CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE other (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
        INSERT INTO item VALUES (1, 'x'), (2, 'x'), (3, 'x'); INSERT INTO other VALUES (1, 'x');"""
    a, b = met(folder, ["UPDATE item SET name = 'a' || id", "UPDATE other SET name = 'a'",
                        "INSERT INTO item VALUES (9, 'a9')", "INSERT INTO other VALUES (5, 'u')"],
               ["UPDATE item SET name = 'b' || id", "UPDATE other SET name = 'b'",
                "INSERT INTO item VALUES (9, 'b9')", "INSERT INTO other VALUES (6, 'u')"], schema)
    numbers = {(one["table"], one["key"]["id"]): one["number"] for one in conflicts(a)}
    expect_equal({state for _, state in states(a)}, {"open"}, "at first")
    expect("since" not in a.run("conflicts", "--table", "item").output, "nothing came since")
    a.run("conflicts", "restore", numbers["item", 1])
    a.write("UPDATE item SET name = 'new' WHERE id = 2")
    a.run("capture")
    a.run("conflicts", "keep-both", numbers["item", 9])
    became = {numbers["item", 1]: "restored", numbers["item", 2]: "written",
              numbers["item", 3]: "open", numbers["item", 9]: "kept-both",
              numbers["other", 1]: "open"}
    expect_equal(dict(states(a)), became, "on the node that did it")
    text = a.run("conflicts").output
    for says in ("    the row is again what the write that lost had made it\n",
                 "    the row was written again since\n", "    both rows were kept\n"):
        expect_equal(text.count(says), 1, says)
    expect("both rows were kept" in a.run("conflicts", "show", numbers["item", 9]).output, "show")
    settle([a, b], folder / "shared")
    elsewhere = {(one["table"], one["key"]["id"]): one["state"] for one in conflicts(b)}
    expect_equal([elsewhere["item", 1], elsewhere["item", 2], elsewhere["item", 3]],
                 ["restored", "written", "open"], "on the other")

    open_ones = sorted(number for number, state in became.items() if state == "open")
    expect_equal([number for number, _ in states(a, "--open")], open_ones, "--open")
    expect_equal([number for number, _ in states(a, "--open", "--table", "ITEM")],
                 [numbers["item", 3]], "--open --table")
    expect_equal([number for number, _ in states(a, "--limit", "2")], sorted(became)[-2:], "--limit")
    expect_equal([number for number, _ in states(a, "--open", "--limit", "1")], open_ones[-1:], "both")
    expect_equal(states(a, "--limit", "0"), [], "none")
    parked = [one["table"] for one in a.run("conflicts", "--limit", "0", "--json").json_lines()]
    expect_equal(parked, ["other"], "what is parked")
    expect_equal(a.run("conflicts", "--table", "item", "--limit", "0").output, "", "of one table")
    for words in (["show", "1", "--open"], ["restore", "1", "--limit", "1"], ["--limit", "x"]):
        a.refuse(2, "", "conflicts", *words)
    a.refuse(1, "item", "conflicts", "--table", "nothing")


main([test_the_list_says_what_became_of_each, test_the_loser_comes_back_as_a_new_change_that_travels_and_wins,
      test_what_is_so_already_is_not_written_again,
      test_a_delete_that_lost_and_a_row_that_is_gone,
      test_a_write_that_nobody_captured_stays_and_is_no_part_of_it,
      test_a_column_that_only_this_database_has_keeps_its_value,
      test_what_the_database_refuses_changes_nothing,
      test_triggers_and_foreign_keys_as_for_an_application,
      test_two_rows_of_one_key_are_kept_both,
      test_a_key_that_was_given_away_is_not_given_again,
      test_a_key_is_said_where_none_can_be_chosen,
      test_show_prints_both_rows_side_by_side,
      test_show_of_a_delete_and_of_columns_that_one_side_lacks])
