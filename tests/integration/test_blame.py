#!/usr/bin/env python3
"""blame names the entry that set each column's present value, whoever lost in between;
history names the losers."""

import os
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support"))
from rowferry import LONG, Node, expect, expect_equal, main, make_pair, settle  # noqa: E402

KEYS = range(1, 4)
COLUMNS = ["name", "town", "phone"]
SCHEMA = ("CREATE TABLE person (id INTEGER PRIMARY KEY, name, town, phone);\n" +
          "".join(f"INSERT INTO person VALUES ({key}, 'n{key}', 't{key}', 'p{key}');"
                  for key in KEYS))


def blame(node, *words):
    return node.run("blame", *words, "--json").json()


def setters(node):
    """By key, column and value: the entries in which a change set it. Values are unique."""
    found = {}
    for entry in node.log():
        for change in entry.get("changes", []):
            for column, value in change.get("row", {}).items():
                if change["op"] == "insert" or column in change["old"]:
                    found.setdefault((change["key"]["id"], column, value), []).append(
                        (entry["seq"], entry["name"], change["version"]))
    return found


def write_at_random(node, chance, count):
    key = chance.choice(KEYS)
    value = f"{node.name}{count}"
    if not node.rows("SELECT 1 FROM person WHERE id = ?", key):
        node.write(f"INSERT INTO person VALUES ({key}, '{value}n', '{value}t', '{value}p')")
    elif chance.random() < 0.1:
        node.write(f"DELETE FROM person WHERE id = {key}")
    else:
        chosen = chance.sample(COLUMNS, chance.choice([1, 1, 2]))
        node.write("UPDATE person SET " +
                   ", ".join(f"{column} = '{value}{column[0]}'" for column in chosen) +
                   f" WHERE id = {key}")
    node.run("capture")


def check_blame(node):
    known = setters(node)
    live = {key for (key,) in node.rows("SELECT id FROM person")}
    for key in KEYS:
        said = blame(node, "person", key)
        expect_equal(said["deleted"], key not in live, f"{node.name}, {key}: deleted")
        for cell in said["columns"]:
            if cell["column"] == "id":
                continue
            expect_equal([(cell["seq"], cell["name"], cell["version"])],
                         known[key, cell["column"], cell["value"]],
                         f"{node.name}, {key}, {cell['column']} = {cell['value']}")


def test_random_writes_are_each_their_writers(folder):
    seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
    print(f"SEED={seed}")
    chance = random.Random(seed)
    for number in range(20 if LONG else 1):
        place = folder / str(number)
        a, b = make_pair(place, SCHEMA)
        c = Node(place, "c")
        c.init("--join", place / "token", "--create-tables")
        settle([a, b, c], place / "shared")
        nodes = [a, b, c]
        for count in range(24 if LONG else 14):
            write_at_random(chance.choice(nodes), chance, count)
            if chance.random() < 0.5:
                chance.choice(nodes).sync(place / "shared")
        check_blame(chance.choice(nodes))
        settle(nodes, place / "shared")
        for node in nodes if LONG else nodes[:1]:
            check_blame(node)


def cells(said):
    return {cell["column"]: (cell["name"], cell["value"], cell["time"] is None)
            for cell in said["columns"]}


def test_a_loser_that_was_not_seen_set_nothing(folder):
    a, b = make_pair(folder, SCHEMA)
    a.write("UPDATE person SET name = 'lost' WHERE id = 1")
    a.run("capture")
    b.write("UPDATE person SET town = 'won' WHERE id = 1")
    settle([a, b], folder / "shared")
    for node in (a, b):
        expect_equal(cells(blame(node, "person", 1)),
                     {"id": ("a", 1, True), "name": ("a", "n1", True),
                      "town": ("b", "won", False), "phone": ("a", "p1", True)}, node.name)


def test_a_loser_that_the_winner_carries_did(folder):
    a, b = make_pair(folder, SCHEMA)
    b.write("UPDATE person SET name = 'first' WHERE id = 1")
    b.run("capture")
    a.write("UPDATE person SET name = 'second' WHERE id = 1")
    a.run("capture")
    b.write("UPDATE person SET town = 'third' WHERE id = 1")
    settle([a, b], folder / "shared")
    for node in (a, b):
        expect_equal([cells(blame(node, "person", 1))[column][:2]
                      for column in ("name", "town")],
                     [("b", "first"), ("b", "third")], node.name)


def test_history_says_who_lost(folder):
    a, b = make_pair(folder, SCHEMA)
    a.write("UPDATE person SET name = 'lost' WHERE id = 1")
    a.run("capture")
    b.write("UPDATE person SET town = 'won' WHERE id = 1")
    settle([a, b], folder / "shared")
    for node in (a, b):  # there it won at first, here it never did
        said = node.run("history", "person", 1).output
        expect("    update person (1), lost to b (conflict 1)\n" in said, said)
        expect("    update person (1) (current)\n" in said, said)
        expect_equal(said.count("lost"), 2, "a word, and a value")


def test_lines_for_people(folder):
    a, _ = make_pair(folder, SCHEMA)
    a.write(f"UPDATE person SET name = '{'long ' * 40}', town = x'{'00ff' * 20}' WHERE id = 1")
    a.write("DELETE FROM person WHERE id = 2")
    a.run("capture")
    said = a.run("blame", "person", 1).output
    expect(said.startswith("person (1)\nid     "), said)
    expect("  a  before the fleet      1\n" in said, said)
    expect("…'\n" in said and "'p1'\n" in said, said)
    expect(max(map(len, said.splitlines())) < 80, said)
    said = a.run("blame", "person", 2).output
    expect(said.startswith("person (2)\ndeleted  ") and "  a  2" in said, said)
    expect_equal(blame(a, "person", 2)["name"], "a", "who deleted it")
    a.refuse(1, "person", "blame", "person", 99)
    a.refuse(2, "needs TABLE KEY...", "blame", "person")


def test_a_new_column_and_a_new_life(folder):
    a = Node(folder, "a")
    a.script(SCHEMA)
    a.init()
    a.script("ALTER TABLE person ADD COLUMN mail DEFAULT 'none'")
    a.run("capture")
    a.write("UPDATE person SET mail = 'x@y' WHERE id = 1")
    a.run("capture")
    a.write("DELETE FROM person WHERE id = 2")
    a.run("capture")
    a.write("INSERT INTO person VALUES (2, 'n2', 't2', 'p2', 'new')")
    a.run("capture")
    said = cells(blame(a, "person", 1))
    expect_equal((said["mail"], said["name"]), (("a", "x@y", False), ("a", "n1", True)),
                 "the column that came")
    said = blame(a, "person", 2)["columns"]
    expect_equal({cell["seq"] for cell in said}, {a.last_seq()}, "all of the new life")


def test_says_what_is_not_shown(folder):
    a, b = make_pair(folder)
    a.write("INSERT INTO item VALUES (7, 'seven', 7)")
    a.run("capture")
    b.write("INSERT INTO item VALUES (8, 'seven', 8)")
    settle([a, b], folder / "shared")
    said = a.run("blame", "item", 8).output
    expect("not shown here: parked since 2" in said and "    unique" in said, said)
    expect_equal(blame(a, "item", 8)["parked"]["kind"], "unique", "the kind")
    expect("parked" not in blame(a, "item", 7), "the other one is shown")
    b.script("CREATE TRIGGER no BEFORE UPDATE ON item BEGIN SELECT RAISE(ABORT, 'no way'); END")
    (b.store / "rowferry.ini").open("a").write("triggers = on\n")
    a.write("UPDATE item SET n = 11 WHERE id = 1")
    a.sync(folder / "shared")
    b.sync(folder / "shared")
    said = b.run("blame", "item", 1).output
    expect("not shown here: in quarantine since 2" in said and "    no way\n" in said, said)
    expect_equal(blame(b, "item", 1)["quarantined"]["message"], "no way", "why")


if __name__ == "__main__":
    main([test_random_writes_are_each_their_writers,
          test_a_loser_that_was_not_seen_set_nothing,
          test_a_loser_that_the_winner_carries_did, test_history_says_who_lost,
          test_lines_for_people,
          test_a_new_column_and_a_new_life, test_says_what_is_not_shown])
