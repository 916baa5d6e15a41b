"""A Postgres database joins a fleet: with no tables, with rows as the fleet has them, with
others; nothing that is written there meanwhile is missed, wherever the first sync is killed."""

import os
import pathlib
import random
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from postgres import Cluster  # noqa: E402
from postgres_node import PostgresNode, shown  # noqa: E402
from rowferry import (LONG, Node, PAIR_SCHEMA, expect, expect_equal,  # noqa: E402
                      fault_environment, main)

CLUSTER = None
SEED = int(os.environ.get("ROWFERRY_SEED") or random.SystemRandom().randrange(1 << 32))
KILLS = 60 if LONG else 4

SCHEMA = """
CREATE TABLE item (id bigint PRIMARY KEY, name text UNIQUE, n bigint);
CREATE TABLE part (id text PRIMARY KEY, item bigint REFERENCES item (id), data bytea);
"""
ROWS = """
INSERT INTO item VALUES (1, 'one', 1), (2, 'two', 2), (3, 'three', 3);
INSERT INTO part VALUES ('p', 1, '\\x00ff'), ('q', NULL, NULL);
"""
TABLES = {"item": (["id", "name", "n"], ["bigint", "text", "bigint"]),
          "part": (["id", "item", "data"], ["text", "bigint", "bytea"])}


def sync(node):
    node.run("sync", node.folder / "shared")


def carry(*nodes):
    for _ in range(2):
        for node in nodes:
            sync(node)


def name_of(folder, name):
    return f"{folder.name}_{name}".replace("-", "_")


def found(folder, schema=""):
    """a on SQLite with its fleet, and b on Postgres with these tables."""
    folder.mkdir(exist_ok=True)
    (folder / "shared").mkdir()
    a = Node(folder, "a")
    a.script(PAIR_SCHEMA)
    a.init()
    a.run("token", folder / "token")
    sync(a)
    b = PostgresNode(folder, name_of(folder, "b"), CLUSTER)
    if schema:
        b.script(schema)
    return a, b


def join(b, *words):
    b.init("--join", b.folder / "token", *words)


def slots(b):
    return b.rows("SELECT slot_name FROM pg_replication_slots WHERE database ="
                  " current_database()")


def published(b):
    return [row[0] for row in b.rows("SELECT tablename FROM pg_publication_tables ORDER BY 1")]


def expect_same(a, b):
    for table, (columns, kinds) in TABLES.items():
        expect_equal(shown(b, table, columns, kinds, ["id"]),
                     shown(a, table, columns, kinds, ["id"]), table)
    for node in (a, b):
        node.check()


def writes_of(node):
    return [change[:3] for change in node.changes().get(node.name, [])]


def gets_the_tables(folder):
    a, b = found(folder)
    join(b, "--create-tables")
    expect_equal((slots(b), published(b)), ([], []), "before the first sync")
    sync(b)
    expect_equal(published(b), ["item", "part"], "publication")
    b.write("INSERT INTO item VALUES (4, 'made here')")
    carry(b, a)
    expect_equal(a.rows("SELECT id, name FROM item WHERE id > 3"), [(4, b"made here")], "a")
    expect_equal(b.rows("SELECT count(*) FROM pg_constraint WHERE contype = 'f'"), [("1",)],
                 "the foreign key")
    expect_equal(len(slots(b)), 1, "slots")
    expect_same(a, b)


def gets_the_tables_of_another_postgres(folder):
    (folder / "shared").mkdir()
    a = PostgresNode(folder, name_of(folder, "a"), CLUSTER)
    a.script("""
        CREATE SCHEMA "Shop"; CREATE TYPE "Shop".mood AS ENUM ('sad', 'happy');
        CREATE TABLE "Shop"."The item" (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            m "Shop".mood DEFAULT 'sad' NOT NULL, twice integer GENERATED ALWAYS AS (id * 2) STORED);
        CREATE TABLE first (id uuid PRIMARY KEY, item integer REFERENCES "Shop"."The item");
        CREATE UNIQUE INDEX ON first (item) WHERE item > 5;
        INSERT INTO "Shop"."The item" (m) VALUES ('happy'), ('sad');""")
    a.init()
    a.run("token", folder / "token")
    sync(a)
    b = PostgresNode(folder, name_of(folder, "b"), CLUSTER)
    join(b, "--create-tables")
    sync(b)
    tables = ("SELECT table_schema, table_name, column_name, data_type, is_nullable,"
              " identity_generation, generation_expression FROM information_schema.columns"
              " WHERE table_schema IN ('public', 'Shop') ORDER BY 1, 2, 3")
    expect_equal(b.rows(tables), a.rows(tables), "tables")
    indexes = "SELECT indexdef FROM pg_indexes WHERE schemaname IN ('public', 'Shop') ORDER BY 1"
    expect_equal(b.rows(indexes), a.rows(indexes), "indexes")
    b.write("INSERT INTO first VALUES ('00000000-0000-0000-0000-000000000001')")
    carry(b, a)
    for node in (a, b):
        expect_equal(node.rows('SELECT id, m FROM "Shop"."The item" ORDER BY id'),
                     [("1", "happy"), ("2", "sad")], node.name)
        expect_equal(node.rows("SELECT count(*) FROM first"), [("1",)], node.name)
        node.check()
    expect_equal(writes_of(b), [("insert", "first",
                                 '{"id": "00000000-0000-0000-0000-000000000001"}')], "b's writes")


def equal_rows_meet_and_others_become_writes(folder):
    a, b = found(folder, SCHEMA + ROWS)
    b.write(["DELETE FROM item WHERE id = 3", "INSERT INTO item VALUES (9, 'nine', 9)",
             "INSERT INTO part VALUES ('z', 9, '\\x09')"])
    join(b)
    carry(b, a)
    expect_equal(writes_of(b), [("insert", "item", '{"id": 9}'), ("insert", "part", '{"id": "z"}')],
                 "b's writes")
    expect_equal(a.rows("SELECT id FROM item ORDER BY id"), [(1,), (2,), (3,), (9,)], "item")
    b.write(["UPDATE item SET n = 100 WHERE id = 1", "DELETE FROM part WHERE id = 'q'"])
    carry(b, a)
    expect_equal(a.rows("SELECT n FROM item WHERE id = 1"), [(100,)], "an update of an equal row")
    expect_equal(writes_of(b)[2:], [("update", "item", '{"id": 1}'), ("delete", "part", '{"id": "q"}')],
                 "b's later writes")
    for node in (a, b):
        expect_equal(node.run("status", "--json").json()["conflicts"], 0, node.name)
    expect_same(a, b)


DIFFERING = ["UPDATE item SET n = n + 10, name = name || ' b' WHERE id < 3",
             "DELETE FROM item WHERE id = 3", "INSERT INTO item VALUES (9, 'nine', 9)",
             "UPDATE part SET data = NULL WHERE id = 'p'"]


def rows_that_differ_are_refused_first(folder):
    a, b = found(folder, SCHEMA + ROWS)
    b.write(DIFFERING)
    join(b)
    b.refuse(1, "nothing of the fleet is here", "diff")
    before = [b.rows(f"SELECT * FROM {table} ORDER BY id") for table in TABLES]
    for _ in range(2):
        b.refuse(1, "(public.item 2, public.part 1; `rowferry diff` lists them)", "sync", folder / "shared")
        expect_equal((slots(b), published(b)), ([], []), "slot and publication")
    expect_equal([b.rows(f"SELECT * FROM {table} ORDER BY id") for table in TABLES], before, "rows")
    *lines, said = b.run("diff", "--json", code=1).json_lines()
    expect_equal([(line["kind"], line["table"], line["key"]["id"], line["columns"]) for line in lines],
                 [("changed", "item", 1, ["name", "n"]), ("changed", "item", 2, ["name", "n"]),
                  ("changed", "part", "p", ["data"])], "rows that differ")
    expect_equal((said["rows"], said["only_here"]), (5, 1), "counts")
    b.write(["UPDATE item SET n = n - 10, name = split_part(name, ' ', 1) WHERE id < 3",
             "DELETE FROM part WHERE id = 'p'"])
    carry(b, a)
    expect_equal(writes_of(b), [("insert", "item", '{"id": 9}')], "b's writes")
    expect_same(a, b)


def local_rows_win_where_they_are_preferred(folder):
    a, b = found(folder, SCHEMA + ROWS)
    b.write(DIFFERING)
    join(b)
    b.run("sync", folder / "shared", code=1)
    b.run("init", b.url, "--prefer", "local")
    carry(b, a)
    expect_equal(a.rows("SELECT * FROM item ORDER BY id"),
                 [(1, b"one b", 11), (2, b"two b", 12), (3, b"three", 3), (9, b"nine", 9)], "item")
    expect_equal(a.rows("SELECT data FROM part WHERE id = 'p'"), [(None,)], "part")
    expect_equal([op for op, _, _ in writes_of(b)], ["update", "update", "insert", "update"],
                 "b's writes are successors")
    for node in (a, b):
        expect_equal(node.run("status", "--json").json()["conflicts"], 0, node.name)
    expect_same(a, b)


def fleet_rows_win_where_they_are_preferred(folder):
    a, b = found(folder, SCHEMA + ROWS)
    b.write(DIFFERING)
    join(b, "--prefer", "fleet")
    carry(b, a)
    for node in (a, b):
        records = [line for line in node.run("conflicts", "--json").json_lines() if "rule" in line]
        expect_equal(sorted((line["table"], line["key"]["id"], line["rule"]) for line in records),
                     [("item", 1, "joined"), ("item", 2, "joined"), ("part", "p", "joined")],
                     node.name)
    expect_equal(a.rows("SELECT * FROM item ORDER BY id"),
                 [(1, b"one", 1), (2, b"two", 2), (3, b"three", 3), (9, b"nine", 9)], "item")
    expect_same(a, b)


def killed_anywhere(folder):
    """At writing calls of the first sync, picked by the seed: the next one goes on, and what was
    written before, between and after is there once."""
    generator = random.Random(SEED)
    all_killed = 0
    for number in range(KILLS):
        place = folder / str(number)
        a, b = found(place, SCHEMA + ROWS)
        b.write(DIFFERING)
        prefer = generator.choice(["local", "fleet"])
        join(b, "--prefer", prefer)
        killed, wanted = 0, {9: "nine"}
        while True:
            said = b.run("sync", place / "shared", code=None,
                         environment=fault_environment(kill=generator.randint(1, 60)))
            if said.code != -9:
                break
            killed += 1
            wanted[9 + killed] = f"after {killed}"
            b.write(f"INSERT INTO item VALUES ({9 + killed}, 'after {killed}', 0)")
        all_killed += killed
        carry(b, a, b)
        what = f"seed {SEED}, {number}: killed {killed} times, --prefer {prefer}"
        expect_equal({key: name.decode() for key, name in
                      a.rows("SELECT id, name FROM item WHERE id > 3")}, wanted, what)
        expect_equal(a.rows("SELECT n FROM item WHERE id < 3 ORDER BY id"),
                     [(11,), (12,)] if prefer == "local" else [(1,), (2,)], what)
        expect_equal(a.run("status", "--json").json()["conflicts"], 0 if prefer == "local" else 3,
                     what)
        inserts = [key for op, _, key in writes_of(b) if op == "insert"]
        expect_equal(len(inserts), len(set(inserts)), f"{what}: {inserts}")
        expect_equal(len(slots(b)), 1, f"{what}: slots")
        expect_same(a, b)
    expect(all_killed > 0, f"seed {SEED}: none was killed")


def what_is_written_meanwhile_is_captured(folder):
    """By an application that has no pause for a first sync, with rows that come, go and change: its
    own. The fleet's are as the fleet has them, or the first sync may find them changed."""
    a, b = found(folder, SCHEMA + ROWS + """
        INSERT INTO item SELECT i, 'own ' || i, 0 FROM generate_series(100, 5000) i;""")
    join(b)
    stop = threading.Event()

    def write():
        generator = random.Random(SEED)
        with b.connect() as connection:
            for n in range(100000):
                if stop.is_set():
                    return
                row = generator.randint(4, 8000)
                connection.run(generator.choice([
                    f"INSERT INTO item VALUES ({row}, 'new {row}', {n})"
                    f" ON CONFLICT (id) DO UPDATE SET n = {n}",
                    f"UPDATE item SET n = {n} WHERE id = {row}",
                    f"DELETE FROM item WHERE id = {row}"]))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        sync(b)
    finally:
        stop.set()
        writer.join()
    carry(b, a)
    columns, kinds = TABLES["item"]
    expect_equal(shown(a, "item", columns, kinds, ["id"]), shown(b, "item", columns, kinds, ["id"]),
                 f"item (seed {SEED})")
    expect_same(a, b)


def rules_and_the_fleet_before_it(folder):
    """A table that only takes is neither met nor published, one that the fleet calls otherwise is
    its; and the slot of the store that is given up goes."""
    a, b = found(folder, SCHEMA.replace("TABLE part", "TABLE piece") + ROWS.replace("part", "piece"))
    b.init()
    given_up = slots(b)
    b.store.rename(folder / "given up")
    (folder / "settings").write_text("[table item]\ndirection = in\n[table piece]\nname = part\n")
    b.write(["UPDATE item SET n = 100", "UPDATE piece SET data = NULL WHERE id = 'p'"])
    b.refuse(1, "--take-over", "init", b.url, "--join", folder / "token")
    join(b, "--take-over", "--settings", folder / "settings", "--prefer", "local")
    expect_equal(slots(b), given_up, "slots before the first sync")
    said = b.run("sync", folder / "shared")
    expect("public.item" not in said.errors and "(public.piece 1)" in said.errors, str(said))
    expect(len(slots(b)) == 1 and slots(b) != given_up, f"{slots(b)}, {given_up}")
    expect_equal(published(b), ["piece"], "publication")
    b.write(["UPDATE item SET n = 101", "INSERT INTO piece VALUES ('own', 1, NULL)"])
    carry(b, a)
    expect_equal(writes_of(b), [("update", "part", '{"id": "p"}'), ("insert", "part", '{"id": "own"}')],
                 "b's writes")
    expect_equal(a.rows("SELECT n FROM item ORDER BY id"), [(1,), (2,), (3,)], "a's item")


def joins_at_once_with_from(folder):
    a, b = found(folder)
    join(b, "--create-tables", "--from", folder / "shared")
    expect_equal(published(b), ["item", "part"], "publication")
    expect(b.run("status", "--json").json()["joining"] is False, "it has joined")
    expect_same(a, b)


def what_is_written_between_meeting_and_slot_is_captured(folder):
    """The slot waits for a transaction that is open: what commits meanwhile, and that transaction,
    fall between what met the fleet's rows and what the slot tells."""
    a, b = found(folder, SCHEMA + ROWS)
    join(b)
    with b.connect() as connection:
        connection.run("BEGIN; INSERT INTO item VALUES (9, 'open', 0)")
        process = threading.Thread(target=sync, args=(b,))
        process.start()
        while b.rows("SELECT 1 FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted") == []:
            expect(process.is_alive(), "the first sync waits")
        b.write(["DELETE FROM part WHERE id = 'q'", "UPDATE item SET n = 100 WHERE id = 1",
                 "INSERT INTO part VALUES ('new', 1, NULL)"])
        connection.run("INSERT INTO item VALUES (10, 'still open', 0); COMMIT")
        process.join()
    carry(b, a)
    expect_equal(a.rows("SELECT id, n FROM item ORDER BY id"), [(1, 100), (2, 2), (3, 3), (9, 0), (10, 0)],
                 "item")
    expect_equal(a.rows("SELECT id FROM part ORDER BY id"), [(b"new",), (b"p",)], "part")
    expect_equal(sorted(op for op, _, _ in writes_of(b)),
                 ["delete", "insert", "insert", "insert", "update"], "b's writes")
    expect_same(a, b)


if __name__ == "__main__":
    with Cluster() as CLUSTER:
        main([gets_the_tables, gets_the_tables_of_another_postgres,
              equal_rows_meet_and_others_become_writes, rows_that_differ_are_refused_first,
              local_rows_win_where_they_are_preferred, fleet_rows_win_where_they_are_preferred,
              killed_anywhere, what_is_written_meanwhile_is_captured,
              rules_and_the_fleet_before_it, joins_at_once_with_from,
              what_is_written_between_meeting_and_slot_is_captured])
