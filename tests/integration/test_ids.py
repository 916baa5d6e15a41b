#!/usr/bin/env python3
"""init --ids range: nodes that insert while they are apart never give two rows one key in
tables with AUTOINCREMENT. ROWFERRY_SEED gives one seed, ROWFERRY_LONG=1 runs twenty."""

import os
import pathlib
import random
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support"))
from rowferry import (LONG, Node, copy_folder, expect, expect_equal, fault_environment,  # noqa: E402
                      main, settle)

SCHEMA = "CREATE TABLE item (id INTEGER PRIMARY KEY AUTOINCREMENT, x);"
RANGE = ("--ids", "range")
ROUND, BLOCK, HALF = 1 << 28, 1 << 16, 1 << 15
FULL = "so none of this node's own is left"


def fleet(folder, count, *words, schema=SCHEMA, ids=()):
    """Nodes that have joined, each with words at init. ids: theirs, as an init that died
    leaves them behind."""
    (folder / "shared").mkdir(parents=True)
    nodes = [Node(folder, f"n{i}") for i in range(count)]
    for node, given in zip(nodes, ids):
        cradle = node.store.with_name(node.store.name + ".init")
        cradle.mkdir()
        (cradle / "id").write_text(f"{given:016x}")
    nodes[0].script(schema)
    nodes[0].init(*words)
    nodes[0].run("token", folder / "token")
    for node in nodes[1:]:
        node.init("--join", folder / "token", "--create-tables", *words)
    settle(nodes, folder / "shared")
    return nodes


def slot(node):
    return int(node.run("status", "--json").json()["node"], 16) % 4096


def insert(node, count=1, table="item"):
    """Insert rows; the numbers that they got."""
    numbers = []

    def write(connection):
        for _ in range(count):
            numbers.append(connection.execute(f"INSERT INTO {table} (x) VALUES (?)",
                                              (node.name,)).lastrowid)
    node.write(write)
    return numbers


def expect_own(node, numbers, what, of=None):
    wanted = slot(node) if of is None else of
    expect_equal({number // BLOCK % 4096 for number in numbers}, {wanted}, what)


def conflicts(node):
    return len(node.run("conflicts", "--json").json_lines())


def play(folder, chance, count, *words):
    """Random inserts, deletes and visits; how many conflicts there are at the end."""
    nodes = fleet(folder, count, *words)
    for _ in range(30):
        node = chance.choice(nodes)
        action = chance.random()
        if action < 0.6:
            insert(node, chance.randrange(1, 5))
        elif action < 0.7:
            node.write("DELETE FROM item WHERE id = (SELECT max(id) FROM item)")
        else:
            node.sync(folder / "shared")
    settle(nodes, folder / "shared")
    for node in nodes:
        node.check()
        expect_equal(node.rows("SELECT * FROM item ORDER BY id"),
                     nodes[0].rows("SELECT * FROM item ORDER BY id"), "rows")
    return conflicts(nodes[0])


def test_never_a_conflict(folder):
    given = os.environ.get("ROWFERRY_SEED")
    seeds = [int(given)] if given else [random.randrange(1 << 32) for _ in range(20 if LONG else 2)]
    for seed in seeds:
        print(f"ROWFERRY_SEED={seed}", flush=True)
        chance = random.Random(seed)
        expect_equal(play(folder / str(seed), chance, chance.choice([2, 3]), *RANGE), 0,
                     f"conflicts with seed {seed}")


def test_conflicts_without(folder):
    expect(play(folder / "plain", random.Random(1), 2) > 0, "conflicts")


def test_past_what_comes(folder):
    a, b = fleet(folder, 2, *RANGE)
    expect_own(a, insert(a), "a's first")
    expect_own(b, insert(b), "b's first")
    a.write(f"INSERT INTO item VALUES ({100 * ROUND + 1}, 'far')")
    settle([a, b], folder / "shared")
    for node in (a, b):
        numbers = insert(node, 3)
        expect_own(node, numbers, f"{node.name}'s next")
        expect(numbers[0] > 100 * ROUND, "goes on behind what came")


def test_one_slot_for_two(folder):
    """Who joined first keeps the slot that its id says, whatever the other ids are."""
    nodes = fleet(folder, 3, *RANGE, ids=(0xf000000000000005, 0x1000000000000005, 6))
    for turn in range(2):
        for node, of in zip(nodes, (5, 6, 7)):
            expect_own(node, insert(node), f"{node.name}'s in turn {turn}", of=of)
        settle(nodes, folder / "shared")
    expect_equal([conflicts(node) for node in nodes], [0, 0, 0], "conflicts")


def test_many_rows_between_visits(folder):
    a, b = fleet(folder, 2, *RANGE)
    first = insert(a)[0]
    expect_own(a, [first, *insert(a, HALF - 1)], "as many as are sure")
    expect_own(a, insert(a), "one more")
    a.run("capture")
    last = insert(a)
    expect_own(a, last, "after a capture")
    expect_equal(last[0], first + ROUND, "the next block")


def test_killed_at_any_moment(folder):
    a, b = fleet(folder / "nodes", 2, *RANGE)
    insert(b)
    settle([a, b], folder / "nodes" / "shared")
    a.write([f"INSERT INTO item VALUES ({9 * ROUND}, 'far')", "DELETE FROM item WHERE id < 5"])
    insert(a, 3)
    a.sync(folder / "nodes" / "shared")
    kills, kill, ended = 0, 1, False
    while not ended:
        place = folder / "copy"
        copy_folder(folder / "nodes", place)
        a, b = Node(place, "n0"), Node(place, "n1")
        ended = b.sync(place / "shared", code=None,
                       environment=fault_environment(kill=kill)).code == 0
        if b.rows("SELECT count(*) FROM item WHERE x = 'far'")[0][0] > 0:
            expect_own(b, insert(b), f"after kill {kill}")
        else:
            insert(b)
        settle([a, b], place / "shared")
        expect_equal((conflicts(a), conflicts(b)), (0, 0), f"conflicts after kill {kill}")
        expect_own(b, insert(b), f"after kill {kill} and a visit")
        b.run("capture")
        b.check()
        shutil.rmtree(place)
        kills += not ended
        kill += 1 if LONG else 7
    expect(kills >= 3, f"{kills} kills")


def test_an_existing_node_turns_it_on(folder):
    a, b = fleet(folder, 2)
    expect_equal(insert(a), [1], "without")
    settings = a.store / "rowferry.ini"
    settings.write_text(settings.read_text().replace("ids = plain", "ids = range"))
    a.run("capture")
    expect_own(a, insert(a), "with")
    settings.write_text(settings.read_text().replace("ids = range", "ids = own"))
    a.refuse(3, "ids = own is not understood: use plain or range", "status")


def test_a_table_that_is_added(folder):
    a, = fleet(folder, 1, *RANGE)
    a.write("CREATE TABLE later (id INTEGER PRIMARY KEY AUTOINCREMENT, x)")
    a.run("capture")
    expect_own(a, insert(a, table="later"), "its numbers")
    a.run("capture")
    a.check()


def test_before_the_first_visit(folder):
    """What a joiner's program inserts before it has met the fleet."""
    a, = fleet(folder, 1, *RANGE)
    insert(a, 2)
    b = Node(folder, "b")
    b.script(SCHEMA)
    said = b.init("--join", folder / "token", *RANGE, "--json").json()
    expect_equal((said["own_numbers"], said["numbers_rows"]), (["item"], []), "said")
    expect_own(b, insert(b, 2), "its numbers", of=int(said["node"], 16) % 4096)
    settle([a, b], folder / "shared")
    expect_equal(a.rows("SELECT x, count(*) FROM item GROUP BY x"), [(b"b", 2), (b"n0", 2)], "rows")
    expect_equal(conflicts(a) + conflicts(b), 0, "conflicts")


def test_directions(folder):
    """Numbers are nobody else's also where what comes is not taken, or what is written here
    stays here."""
    a, b = fleet(folder, 2, *RANGE, schema=SCHEMA + SCHEMA.replace("item", "other"))
    settings = b.store / "rowferry.ini"
    settings.write_text(settings.read_text() +
                        "[table item]\ndirection = out\n[table other]\ndirection = in\n")
    for _ in range(3):
        for node in (a, b):
            insert(node)
            insert(node, table="other")
        settle([a, b], folder / "shared")
    expect_equal(conflicts(a) + conflicts(b), 0, "conflicts")
    expect_equal(a.rows("SELECT count(*) FROM item"), [(6,)], "rows of out")
    expect_equal(b.rows("SELECT x, count(*) FROM other GROUP BY x"), [(b"n0", 3), (b"n1", 3)],
                 "rows of in")


def test_keep_both_takes_a_number_of_its_own(folder):
    a, b = fleet(folder, 2, *RANGE)
    for node, price in ((a, 1), (b, 2)):
        node.write(f"INSERT INTO item VALUES (7, {price})")
        node.run("capture")
    settle([a, b], folder / "shared")
    a.write("INSERT INTO item VALUES (%d, 'far')" % (3 * ROUND))
    said = a.run("conflicts", "keep-both", "1", "--json").json()
    expect_own(a, [said["key"]["id"]], "its new key")
    expect(said["key"]["id"] > 3 * ROUND, "behind all others")


def test_where_it_can_not_help(folder):
    """No AUTOINCREMENT; negative keys; no numbers left."""
    a, = fleet(folder, 1, *RANGE, schema=SCHEMA + "CREATE TABLE plain (id INTEGER PRIMARY KEY, x);")
    expect_equal(insert(a, 2, "plain"), [1, 2], "numbers without AUTOINCREMENT")
    check = a.run("init", f"sqlite:{a.database}", "--store", folder / "other", "--check",
                  "--take-over", *RANGE)
    expect("numbers of its own (rowferry.ini, ids):\n    item\n" in check.output, str(check))
    expect("--ids range):\n    plain\n" in check.output, str(check))
    a.write("INSERT INTO item VALUES (-9223372036854775808, 'least')")
    a.run("capture")
    expect_own(a, insert(a), "beside a negative key")
    a.write("INSERT INTO item VALUES (9223372036854775807, 'most')")
    expect(FULL in a.run("capture").errors, "says so")
    expect_equal(a.sync(folder / "shared").errors.count(FULL), 1, "lines")
    a.check()
    a.refuse(2, "--ids own: give range or plain", "init", f"sqlite:{a.database}", "--ids", "own")


main([test_never_a_conflict, test_conflicts_without, test_past_what_comes, test_one_slot_for_two,
      test_many_rows_between_visits, test_killed_at_any_moment, test_an_existing_node_turns_it_on,
      test_a_table_that_is_added, test_before_the_first_visit, test_directions,
      test_keep_both_takes_a_number_of_its_own, test_where_it_can_not_help])
