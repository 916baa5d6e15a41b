"""Postgres as a target: what others wrote stands in it, and comes back to nobody."""

import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

import postgres_pairs as pairs  # noqa: E402
from postgres import Cluster  # noqa: E402
from postgres_node import PostgresNode  # noqa: E402
from rowferry import Node, expect, expect_equal, main  # noqa: E402


def both_ways(folder):
    shop, stall = pairs.make_pair(folder, """
        CREATE TABLE item (id bigint PRIMARY KEY, name text, n integer);
        INSERT INTO item SELECT i, 'item ' || i, i FROM generate_series(1, 100) i;""")

    def same(what):
        pairs.settle(folder, [shop, stall])
        pairs.expect_same(shop, stall, "item", ["id", "name", "n"],
                          ["bigint", "text", "integer"], ["id"], what)

    same("the first copy")
    stall.write("INSERT INTO item VALUES (101, 'from the stall', -1)")
    same("an insert")
    stall.write(["UPDATE item SET n = n + 1000 WHERE id % 3 = 0",
                 "DELETE FROM item WHERE id % 3 = 1"])
    same("updates and deletes of many rows")
    entries = shop.last_seq()
    pairs.settle(folder, [shop, stall])
    expect_equal(shop.last_seq(), entries, "entries after a visit with nothing new")
    shop.write("UPDATE item SET name = 'shop' WHERE id = 2")
    stall.write("UPDATE item SET name = 'stall' WHERE id = 2")
    same("a conflict")
    expect_equal(len(shop.run("conflicts", "--json").json_lines()), 1, "conflicts")
    stall.write(["DELETE FROM item WHERE id = 3", "INSERT INTO item VALUES (3, 'again', 3)"])
    same("a row that was deleted and made again")
    stall.write("DELETE FROM item")
    same("all rows go")
    stall.write("INSERT INTO item VALUES (3, 'new', 3)")
    same("one comes back")
    shop.check()


def round_trip(folder):
    """SQLite changes one other column: what it did not touch comes back byte for byte."""
    kinds = pairs.KINDS
    columns = ", ".join(f"{name} {kind}" for name, kind, _ in kinds)
    values = ", ".join(pairs.quoted(text) for _, _, text in kinds)
    shop, stall = pairs.make_pair(folder, f"""{pairs.TYPES}
        CREATE TABLE thing (id integer PRIMARY KEY, other integer, {columns});
        INSERT INTO thing VALUES (1, 0, {values}), (2, 0, {values});
        INSERT INTO thing (id) VALUES (3);""")
    before = shop.rows("SELECT * FROM thing ORDER BY id")
    pairs.settle(folder, [shop, stall])
    stall.write("UPDATE thing SET other = 7")
    stall.write(["UPDATE thing SET id = 12 WHERE id = 2"])
    pairs.settle(folder, [shop, stall])
    after = shop.rows("SELECT * FROM thing ORDER BY id")
    expect_equal([row[0] for row in after], ["1", "3", "12"], "keys")
    expect_equal([row[1] for row in after], ["7"] * 3, "the other column")
    expect_equal(after[0][2:], before[0][2:], "untouched values")
    expect_equal(after[2][2:], before[1][2:], "values of a row under a new key")
    stall.write("DELETE FROM thing WHERE id = 1")
    pairs.settle(folder, [shop, stall])
    expect_equal(len(shop.rows("SELECT id FROM thing")), 2, "rows after a delete")
    shop.check()


def many_at_once(folder):
    """Rows that are new in numbers come by COPY, which writes values in its own way: they are
    the same as those that come alone."""
    kinds = pairs.KINDS
    columns = ", ".join(f"{name} {kind}" for name, kind, _ in kinds)
    values = ", ".join(pairs.quoted(text) for _, _, text in kinds)
    shop, stall = pairs.make_pair(folder, f"""{pairs.TYPES}
        CREATE TABLE thing (id integer PRIMARY KEY, place integer GENERATED ALWAYS AS IDENTITY,
                            "odd\t(name)" text, {columns});
        INSERT INTO thing OVERRIDING SYSTEM VALUE VALUES (1, 1, 'x', {values});
        INSERT INTO thing (id) VALUES (2);
        CREATE SEQUENCE copied;
        CREATE SEQUENCE inserted;
        CREATE FUNCTION public.look() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM nextval(CASE WHEN current_query() LIKE 'COPY%' THEN 'public.copied'
                                 ELSE 'public.inserted' END);
            RETURN NULL;
        END $$;
        CREATE TRIGGER look BEFORE INSERT ON thing FOR EACH STATEMENT EXECUTE FUNCTION look();
        ALTER TABLE thing ENABLE ALWAYS TRIGGER look;""")
    before = shop.rows("SELECT * FROM thing ORDER BY id")
    pairs.settle(folder, [shop, stall])
    texts = ["", "\\", "\\N", "\\.", "N", "\t", "\n", "\r\n", "a\tb\\tc\nd\\", "\\\n\\.\n",
             "\x01\x7f", '"', "',", "\u00e4\U0001f600"]
    count = 20
    names = ", ".join(name for name, _, _ in kinds)
    stall.write([f"""
        WITH RECURSIVE number (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number
                                      WHERE n + 1 < {count})
        INSERT INTO thing (id, place, "odd\t(name)", {names})
        SELECT 1000 * (n + 1) + 10 * {i + 1} + id, -n, {pairs.quoted(text)}, {names}
        FROM thing, number WHERE id < 10""" for i, text in enumerate(texts)])
    pairs.settle(folder, [shop, stall])
    expect_equal(shop.rows("SELECT c.is_called, i.is_called FROM copied c, inserted i"),
                 [("t", "f")], "statements: by COPY, and not again by INSERT")
    after = shop.rows("SELECT * FROM thing WHERE id >= 10 ORDER BY id")
    expect_equal(len(after), 2 * count * len(texts), "rows")
    for row in after:
        key = int(row[0])
        wanted = (str(1 - key // 1000), texts[key % 1000 // 10 - 1], *before[key % 10 - 1][3:])
        expect_equal(row[1:], wanted, f"row {key}")
    shop.check()


def numbers(folder):
    """The next number that a sequence gives is behind those that came."""
    shop, stall = pairs.make_pair(folder, """
        CREATE TABLE item (id bigserial PRIMARY KEY, place integer GENERATED ALWAYS AS IDENTITY,
                           name text);""")
    stall.write("INSERT INTO item VALUES (41, 1000, 'stall')")
    pairs.settle(folder, [shop, stall])
    shop.write("INSERT INTO item (name) VALUES ('shop')")
    expect_equal(shop.rows("SELECT id, place, name FROM item ORDER BY id"),
                 [("41", "1000", "stall"), ("42", "1001", "shop")], "numbers")
    pairs.settle(folder, [shop, stall])
    stall.write("UPDATE item SET name = 'renamed'")
    pairs.settle(folder, [shop, stall])
    expect_equal(shop.rows("SELECT id, place, name FROM item ORDER BY id"),
                 [("41", "1000", "renamed"), ("42", "1001", "renamed")], "other columns")
    shop.script("ALTER TABLE item ADD note text; UPDATE item SET note = 'own ' || id")
    shop.run("capture")
    stall.write(["UPDATE item SET place = 2000, name = 'moved' WHERE id = 41",
                 "UPDATE item SET place = 3000 WHERE id = 42"])
    pairs.settle(folder, [shop, stall])
    expect_equal(shop.rows("SELECT id, place, name, note FROM item ORDER BY id"),
                 [("41", "2000", "moved", "own 41"), ("42", "3000", "renamed", "own 42")],
                 "numbers that an update can't set")
    expect_equal(shop.rows("INSERT INTO item (name) VALUES ('next') RETURNING place"),
                 [("3001",)], "the next number")
    pairs.settle(folder, [shop, stall])
    expect_equal(stall.rows("SELECT count(*) FROM item"), [(3,)], "rows of the stall")


def directions(folder):
    """A table that only takes ends as others have it, whatever is written here; one that only
    sends stays as it is."""
    (folder / "settings").write_text("[table note]\ndirection = in\n[table own]\ndirection = out\n")
    shop, stall = pairs.make_pair(folder, """
        CREATE TABLE note (id integer PRIMARY KEY, t text, here text);
        CREATE TABLE own (id integer PRIMARY KEY, t text);
        INSERT INTO own VALUES (1, 'x');""", "--settings", folder / "settings")

    def settle():
        pairs.settle(folder, [shop, stall])
        return shop.rows("SELECT id, t FROM note ORDER BY id")

    stall.write(["INSERT INTO note VALUES (1, 'a', NULL), (2, 'b', NULL)",
                 "INSERT INTO own VALUES (2, 'stall')"])
    expect_equal(settle(), [("1", "a"), ("2", "b")], "note")
    shop.write(["UPDATE note SET t = 'local'", "INSERT INTO own VALUES (3, 'shop')",
                "DELETE FROM note WHERE id = 2", "INSERT INTO note VALUES (3, 'local')"])
    stall.write(["UPDATE note SET t = 'c'", "INSERT INTO note VALUES (3, 'd', NULL)"])
    expect_equal(settle(), [("1", "c"), ("2", "c"), ("3", "d")], "note, over local writes")
    stall.write("DELETE FROM note WHERE id <> 2")
    expect_equal(settle(), [("2", "c")], "note, after deletes")
    expect_equal(shop.rows("SELECT id FROM own ORDER BY id"), [("1",), ("3",)], "own")
    expect_equal(stall.rows("SELECT id FROM own ORDER BY id"), [(1,), (2,), (3,)],
                 "own at the stall")
    entries = shop.last_seq()
    settle()
    expect_equal(shop.last_seq(), entries, "entries when all is said")


def keys_of_any_case(folder):
    """A type of an extension, whose equality is not in pg_catalog."""
    shop, stall = pairs.make_pair(folder, """CREATE EXTENSION citext;
        CREATE TABLE tag (name citext PRIMARY KEY, n integer);
        CREATE TABLE uses (id integer PRIMARY KEY, tag citext REFERENCES tag);
        INSERT INTO tag VALUES ('Red', 1), ('green', 2), ('blue', 3);
        INSERT INTO uses VALUES (1, 'Red'), (2, 'green');""")
    pairs.settle(folder, [shop, stall])
    stall.write(["UPDATE tag SET n = n + 10", "DELETE FROM tag WHERE name = 'blue'",
                 "INSERT INTO tag VALUES ('Black', 4)", "INSERT INTO uses VALUES (3, 'Black')",
                 "UPDATE uses SET tag = 'Red' WHERE id = 2"])
    shop.write("INSERT INTO uses VALUES (4, 'red')")
    pairs.settle(folder, [shop, stall])
    expect_equal(shop.rows("SELECT name, n FROM tag ORDER BY n"),
                 [("Black", "4"), ("Red", "11"), ("green", "12")], "tags")
    expect_equal(shop.rows("SELECT id, tag FROM uses ORDER BY id"),
                 [("1", "Red"), ("2", "Red"), ("3", "Black"), ("4", "red")], "uses")
    expect_equal(shop.run("status", "--json").json()["parked"], 0, "parked rows")


def numeric_keys(folder):
    """Whole numbers and others are the same rows on both sides; zeros at the end of a fraction
    go with a write from SQLite."""
    shop, stall = pairs.make_pair(folder, """
        CREATE TABLE item (id numeric PRIMARY KEY, n integer);
        INSERT INTO item VALUES (1, 1), (2.50, 2), (-7, 3), (123456789012345678901234567890, 4)""")
    stall.write(["UPDATE item SET n = n + 10", "INSERT INTO item VALUES (5, 5), ('5.5', 6)"])
    shop.write("DELETE FROM item WHERE id = -7")
    pairs.settle(folder, [shop, stall])
    expect_equal(shop.rows("SELECT id, n FROM item ORDER BY n"),
                 [("5", "5"), ("5.5", "6"), ("1", "11"), ("2.5", "12"),
                  ("123456789012345678901234567890", "14")], "rows in Postgres")
    expect_equal(stall.rows("SELECT typeof(id), id FROM item ORDER BY n"),
                 [(b"integer", 5), (b"text", b"5.5"), (b"integer", 1), (b"text", b"2.5"),
                  (b"text", b"123456789012345678901234567890")], "rows in SQLite")
    shop.check()
    stall.check()


def refused_rows(folder):
    """What the database does not take waits alone, and comes in when it is taken."""
    shop, stall = pairs.make_pair(folder, """
        CREATE TABLE item (id integer PRIMARY KEY, n integer, word text);""")
    shop.script("ALTER TABLE item ADD CHECK (n < 100), ALTER word TYPE varchar(5)")
    pairs.settle(folder, [shop, stall])
    stall.write([f"INSERT INTO item VALUES ({i}, {i}, 'w{i}')" for i in range(1, 60)])
    stall.write("INSERT INTO item VALUES (60, 1000, 'x'), (61, 1, 'too long'), (62, 2, 'y')")
    pairs.settle(folder, [shop, stall])
    expect_equal(shop.rows("SELECT count(*), max(id) FROM item"), [("60", "62")], "rows")
    waiting = shop.run("quarantine", "--json").json_lines()
    expect_equal(len(waiting), 2, f"quarantined rows: {waiting}")
    shop.check()
    expect(any("check constraint" in row["message"] for row in waiting), f"{waiting}")
    stall.write("UPDATE item SET word = 'short' WHERE id = 61")
    pairs.settle(folder, [shop, stall])
    expect_equal(shop.rows("SELECT word FROM item WHERE id = 61"), [("short",)], "a new try")
    shop.script("CREATE TABLE elsewhere (id integer PRIMARY KEY)")
    stall.write("UPDATE item SET n = 1001 WHERE id = 60")
    pairs.settle(folder, [shop, stall])  # a new schema, a new try, the same refusal: it ends
    expect_equal(len(shop.run("quarantine", "--json").json_lines()), 1, "still refused")
    shop.script("ALTER TABLE item DROP CONSTRAINT item_n_check")
    pairs.settle(folder, [shop, stall])
    expect_equal(shop.rows("SELECT n FROM item WHERE id = 60"), [("1001",)], "a looser table")
    expect_equal(shop.run("quarantine", "--json").json_lines(), [], "quarantined rows")
    shop.check()


def plain_role(folder):
    """What init says is enough to write both ways, constraints and sequences with it; without
    the right to silence triggers nothing is written."""
    name = folder.name.replace("-", "_")
    shop = PostgresNode(folder, name, pairs.CLUSTER)
    shop.script(f"""
        CREATE ROLE boss; CREATE ROLE plain LOGIN; ALTER DATABASE "{name}" OWNER TO boss;
        CREATE TABLE parent (id integer PRIMARY KEY, name text UNIQUE);
        CREATE TABLE child (id bigserial PRIMARY KEY, parent integer REFERENCES parent);
        INSERT INTO parent VALUES (1, 'one'), (2, 'two');
        ALTER TABLE parent OWNER TO boss; ALTER TABLE child OWNER TO boss;
        CREATE TABLE keyless (n integer)""")
    admin, shop.url = shop.url, pairs.CLUSTER.url_of(name, "plain")
    found = shop.init("--check", code=1).output
    expect("GRANT INSERT, UPDATE, DELETE" in found, found)
    expect_equal(found.count("keyless"), 1, f"lines of a table without a key: {found}")
    shop.url, plain = admin, shop.url
    for statement in shop.run("init", plain, "--print-sql").output.splitlines():
        shop.script(statement)
    shop.run("init", plain, "--name", "shop")
    shop.script("REVOKE boss FROM plain")  # it was needed for the publication alone
    (folder / "shared").mkdir()
    shop.run("token", folder / "token")
    stall = Node(folder, "stall")
    stall.init("--join", folder / "token", "--create-tables")
    pairs.carry(folder, shop, stall)
    stall.write(["INSERT INTO child VALUES (41, 3), (42, 2)", "INSERT INTO parent VALUES (3, 'x')",
                 "UPDATE parent SET name = 'first' WHERE id = 1"])
    shop.write("INSERT INTO parent VALUES (4, 'x')")
    shop.write("DELETE FROM parent WHERE id = 2")
    pairs.settle(folder, [shop, stall])
    for table, columns in (("parent", ["id", "name"]), ("child", ["id", "parent"])):
        pairs.expect_same(shop, stall, table, columns, ["integer", "text"], ["id"], table)
    expect_equal(shop.run("status", "--json").json()["parked"], 2, "parked rows")
    expect_equal(shop.rows("INSERT INTO child (parent) VALUES (1) RETURNING id"), [("43",)],
                 "the next number")
    shop.script("REVOKE SET ON PARAMETER session_replication_role FROM plain")
    stall.write("UPDATE parent SET name = 'mute' WHERE id = 1")
    stall.sync(folder / "shared")
    said = shop.sync(folder / "shared", code=3).errors
    expect("GRANT SET ON PARAMETER session_replication_role TO plain" in said, said)
    expect_equal(shop.rows("SELECT name FROM parent WHERE id = 1"), [("first",)], "the row")
    shop.script("GRANT SET ON PARAMETER session_replication_role TO plain")
    pairs.settle(folder, [shop, stall])
    expect_equal(shop.rows("SELECT name FROM parent WHERE id = 1"), [("mute",)], "the row")
    shop.check()


def long_batch(folder):
    """A batch that takes longer than the server waits for the reader of its stream."""
    shop, stall = pairs.make_pair(folder, """
        CREATE TABLE item (id integer PRIMARY KEY, name text);
        CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN PERFORM pg_sleep(0.6); RETURN NEW; END';
        CREATE TRIGGER slow BEFORE INSERT ON item FOR EACH ROW EXECUTE FUNCTION slow();
        ALTER TABLE item ENABLE ALWAYS TRIGGER slow""")
    shop.script(f"ALTER DATABASE \"{folder.name.replace('-', '_')}\" SET wal_sender_timeout = '300ms'")
    stall.write("INSERT INTO item VALUES (1, 'one')")
    pairs.settle(folder, [shop, stall])
    expect_equal(shop.rows("SELECT id, name FROM item"), [("1", "one")], "rows")
    shop.check()


def tried_again(folder):
    """When what the database refuses depends on something that no schema says."""
    shop, stall = pairs.make_pair(folder, """
        CREATE TABLE item (id integer PRIMARY KEY, n integer);""")
    shop.script("""
        CREATE SCHEMA house; CREATE TABLE house.ceiling (n integer);
        INSERT INTO house.ceiling VALUES (100);
        CREATE FUNCTION house.fits(integer) RETURNS boolean LANGUAGE sql AS
            'SELECT $1 < n FROM house.ceiling';
        ALTER TABLE item ADD CHECK (house.fits(n))""")
    stall.write("INSERT INTO item VALUES (1, 1000), (2, 2000), (3, 3)")
    pairs.settle(folder, [shop, stall])
    numbers_of = [row["number"] for row in shop.run("quarantine", "--json").json_lines()]
    expect_equal(len(numbers_of), 2, "quarantined rows")
    said = shop.run("quarantine", "retry", "--json").json()
    expect_equal((said["tried"], said["refused"]), (2, 2), "tried too early")
    shop.script("UPDATE house.ceiling SET n = 1500")
    expect_equal(shop.run("apply").code, 0, "apply")
    expect_equal(shop.rows("SELECT id FROM item ORDER BY id"), [("3",)], "not by itself")
    shop.run("quarantine", "retry", numbers_of[0])
    expect_equal(shop.rows("SELECT id FROM item ORDER BY id"), [("1",), ("3",)], "the one")
    shop.script("UPDATE house.ceiling SET n = 2500")
    said = shop.run("quarantine", "retry", "--json").json()
    expect_equal((said["tried"], said["refused"]), (1, 0), "the rest")
    pairs.settle(folder, [shop, stall])
    shop.check()
    stall.check()


def marks(folder):
    """No two batches have the same mark, were they of the same entries."""
    shop, stall = pairs.make_pair(folder, "CREATE TABLE item (id integer PRIMARY KEY, n integer);")
    slot = f"watch_{shop.name}"
    shop.script("CREATE PUBLICATION empty")
    shop.script(f"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')")
    for n in range(3):
        stall.write(f"INSERT INTO item VALUES ({n}, 0)")
        pairs.settle(folder, [shop, stall])
    told = shop.rows(
        "SELECT encode(data, 'escape') FROM pg_logical_slot_get_binary_changes("
        f"'{slot}', NULL, NULL, 'proto_version', '1', 'publication_names', 'empty',"
        " 'messages', 'true') WHERE get_byte(data, 0) = ascii('M')")
    shop.script(f"SELECT pg_drop_replication_slot('{slot}')")
    batches = [found[1] for (text,) in told if (found := re.search(r"batch=(\d+)", text))]
    expect(len(batches) >= 3, f"batches: {told}")
    expect_equal(batches, sorted(set(batches), key=int), "numbers of batches")


if __name__ == "__main__":
    with Cluster() as pairs.CLUSTER:
        main([both_ways, round_trip, many_at_once, numbers, directions, keys_of_any_case,
              numeric_keys, refused_rows, plain_role, long_batch, tried_again, marks])
