"""What Postgres says against one row, for whatever reason, is that row's affair: it waits, the
others go on."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

import postgres_pairs as pairs  # noqa: E402
from postgres import Cluster  # noqa: E402
from postgres_node import PostgresNode  # noqa: E402
from rowferry import Node, expect, expect_equal, main  # noqa: E402

ITEM = "CREATE TABLE item (id integer PRIMARY KEY, n integer, word text);"


def make_trigger(body, when="BEFORE INSERT OR UPDATE", constraint="", fires="ALWAYS", table="item"):
    return f"""
        CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$;
        CREATE {constraint} TRIGGER look {when} ON {table}
            {"DEFERRABLE INITIALLY DEFERRED" if constraint else ""}
            FOR EACH ROW EXECUTE FUNCTION look();
        ALTER TABLE {table} ENABLE {fires} TRIGGER look;"""


def expect_waiting(shop, ids, said=()):
    waiting = shop.run("quarantine", "--json").json_lines()
    found = [row["message"] for row in waiting]
    expect_equal(sorted(row["key"]["id"] for row in waiting), ids, f"quarantined: {found}")
    for words in said:
        expect(any(words in message for message in found), f"{words}: {found}")


def ids_of(shop, table="item"):
    return [int(row[0]) for row in shop.rows(f"SELECT id FROM {table} ORDER BY id")]


def errors_of_functions(folder):
    """Errors of any class, raised by functions that run for the row."""
    shop, stall = pairs.make_pair(folder, ITEM + "CREATE TABLE other (id integer PRIMARY KEY);")
    shop.script(make_trigger("""BEGIN
        IF NEW.n = 1 THEN PERFORM * FROM nowhere; END IF;
        IF NEW.n = 2 THEN PERFORM no_such_function(1); END IF;
        IF NEW.n = 3 THEN PERFORM NEW.no_such_field; END IF;
        IF NEW.n = 4 THEN RAISE 'not allowed' USING ERRCODE = 'insufficient_privilege'; END IF;
        IF NEW.n = 5 THEN RAISE 'elsewhere' USING ERRCODE = 'unique_violation'; END IF;
        IF NEW.n = 6 THEN COMMIT; END IF;
        IF NEW.n = 7 THEN RAISE 'try again' USING ERRCODE = 'serialization_failure'; END IF;
        IF NEW.n = 8 THEN RAISE 'too long' USING ERRCODE = 'query_canceled'; END IF;
        IF NEW.n = 9 THEN RAISE 'taken' USING ERRCODE = 'lock_not_available'; END IF;
        RETURN NEW; END"""))
    stall.write([f"INSERT INTO item VALUES ({i}, {i}, 'w')" for i in range(1, 41)] +
                ["INSERT INTO other VALUES (1)"])
    pairs.settle(folder, [shop, stall])
    expect_equal(ids_of(shop), list(range(10, 41)), "rows")
    expect_equal(ids_of(shop, "other"), [1], "rows of another table")
    expect_waiting(shop, [1, 2, 3, 4, 5, 6, 7, 8, 9],
                   ["nowhere", "no_such_function", "no_such_field", "not allowed", "elsewhere",
                    "transaction", "try again", "too long", "taken"])
    shop.script("DROP TRIGGER look ON item")
    pairs.settle(folder, [shop, stall])
    expect_equal(ids_of(shop), list(range(1, 41)), "rows without the trigger")
    expect_waiting(shop, [])


def too_long_for_an_index(folder):
    shop, stall = pairs.make_pair(folder, ITEM)
    shop.script("CREATE INDEX ON item (word)")
    stall.write(["INSERT INTO item SELECT 1, 1, hex(randomblob(9000))",
                 "INSERT INTO item VALUES (2, 2, 'short')"])
    pairs.settle(folder, [shop, stall])
    expect_equal(ids_of(shop), [2], "rows")
    expect_waiting(shop, [1], ["index row requires"])


def names_as_in_the_application(folder):
    """Functions of triggers, checks and defaults find tables by the search_path of the role."""
    shop, stall = pairs.make_pair(folder, """CREATE SCHEMA app;
        CREATE TABLE item (id integer PRIMARY KEY, n integer, word text);
        CREATE TABLE named (id integer PRIMARY KEY, name text UNIQUE, n integer);""")
    shop.script(f"""ALTER DATABASE "{shop.name}" SET search_path = app, public;
        SET search_path = app, public;
        CREATE TABLE app.bounds (most integer);
        INSERT INTO app.bounds VALUES (100);
        CREATE FUNCTION public.fits(integer) RETURNS boolean LANGUAGE sql AS
            'SELECT $1 < most FROM bounds';
        ALTER TABLE named ADD CHECK (public.fits(n));""" + make_trigger("""BEGIN
        IF NOT fits(NEW.n) THEN RAISE 'out of bounds'; END IF;
        PERFORM FROM bounds; RETURN NEW; END"""))
    stall.write(["INSERT INTO item VALUES (1, 1, 'a'), (2, 1000, 'b'), (3, 3, 'c')",
                 "INSERT INTO named VALUES (1, 'x', 1), (2, 'y', 2)"])
    pairs.settle(folder, [shop, stall])
    expect_equal(ids_of(shop), [1, 3], "rows")
    expect_waiting(shop, [2], ["out of bounds"])
    stall.write(["UPDATE named SET name = 'tmp' WHERE id = 1",
                 "UPDATE named SET name = 'x', n = 3 WHERE id = 2",
                 "UPDATE named SET name = 'y' WHERE id = 1"])
    pairs.settle(folder, [shop, stall])
    expect_equal(shop.rows("SELECT id, name, n FROM named ORDER BY id"),
                 [("1", "y", "1"), ("2", "x", "3")], "names were exchanged")
    expect_waiting(shop, [2])
    expect_equal(shop.run("status", "--json").json()["parked"], 0, "parked rows")
    shop.check()


def at_the_commit(folder):
    """A trigger that waits for the commit sees a transaction as it was made, and what it refuses
    is found."""
    shop, stall = pairs.make_pair(folder, """
        CREATE TABLE header (id integer PRIMARY KEY, n integer);
        CREATE TABLE line (id integer PRIMARY KEY, header integer);""")
    shop.script(make_trigger("""BEGIN
        IF (SELECT count(*) FROM line WHERE header = NEW.id) <> NEW.n THEN
            RAISE 'header % has other lines', NEW.id; END IF;
        RETURN NEW; END""", "AFTER INSERT OR UPDATE", "CONSTRAINT", table="header"))
    for i in range(1, 12):
        stall.write([f"INSERT INTO header VALUES ({i}, {2 if i != 7 else 3})",
                     f"INSERT INTO line VALUES ({i * 10}, {i}), ({i * 10 + 1}, {i})"])
        stall.run("capture")
    pairs.settle(folder, [shop, stall])
    expect_equal(ids_of(shop, "header"), [i for i in range(1, 12) if i != 7], "headers")
    expect_equal(len(ids_of(shop, "line")), 22, "lines")
    expect_waiting(shop, [7], ["header 7 has other lines"])
    stall.write("UPDATE header SET n = 2 WHERE id = 7")
    pairs.settle(folder, [shop, stall])
    expect_equal(len(ids_of(shop, "header")), 11, "headers")
    expect_waiting(shop, [])
    shop.check()


def kept_out_without_a_word(folder):
    """A trigger that returns NULL keeps a row as it is: that is a refusal, too."""
    shop, stall = pairs.make_pair(folder, ITEM + """
        INSERT INTO item VALUES (3, 30, 'x'), (4, 40, 'x'), (5, 50, 'x');""")
    shop.script(make_trigger("""BEGIN
        IF TG_OP = 'DELETE' THEN RETURN CASE WHEN OLD.id <> 4 THEN OLD END; END IF;
        RETURN CASE WHEN NEW.n <> 7 THEN NEW END; END""",
                             "BEFORE INSERT OR UPDATE OR DELETE"))
    stall.write(["INSERT INTO item VALUES (1, 7, 'w'), (2, 20, 'w')",
                 "UPDATE item SET n = 7 WHERE id = 3", "DELETE FROM item WHERE id > 3"])
    pairs.settle(folder, [shop, stall])
    expect_equal(shop.rows("SELECT id, n FROM item ORDER BY id"),
                 [("2", "20"), ("3", "30"), ("4", "40")], "rows")
    expect_waiting(shop, [1, 3, 4], ["a trigger, rule or policy keeps the row"])
    expect_equal(shop.run("status", "--json").json()["repairs"], 0, "rows to repair")
    shop.run("quarantine", "retry")
    expect_waiting(shop, [1, 3, 4])
    shop.script("DROP TRIGGER look ON item")
    pairs.settle(folder, [shop, stall])
    expect_equal(shop.rows("SELECT id, n FROM item ORDER BY id"),
                 [("1", "7"), ("2", "20"), ("3", "7")], "rows without the trigger")
    expect_waiting(shop, [])
    shop.check()


def policies(folder):
    """A policy's refusal is the row's; a right that is lacking is the administrator's."""
    name = folder.name.replace("-", "_")
    role = f"plain_{name}"
    shop = PostgresNode(folder, name, pairs.CLUSTER)
    shop.script(f"""{ITEM} CREATE TABLE other (id integer PRIMARY KEY);
        CREATE ROLE "{role}" LOGIN SUPERUSER""")
    shop.url = pairs.CLUSTER.url_of(name, role)
    shop.init()
    admin = pairs.CLUSTER.url_of(name)
    shop.url = admin
    shop.script(f"""ALTER ROLE "{role}" NOSUPERUSER REPLICATION;
        GRANT SET ON PARAMETER session_replication_role TO "{role}";
        GRANT ALL ON ALL TABLES IN SCHEMA public TO "{role}";
        ALTER TABLE item ENABLE ROW LEVEL SECURITY;
        CREATE POLICY all_rows ON item USING (true) WITH CHECK (n < 10)""")
    (folder / "shared").mkdir()
    shop.run("token", folder / "token")
    stall = Node(folder, "stall")
    stall.init("--join", folder / "token", "--create-tables")
    pairs.carry(folder, shop, stall)
    stall.write(["INSERT INTO item VALUES (1, 1, 'a'), (2, 20, 'b'), (3, 3, 'c')"])
    pairs.settle(folder, [shop, stall])
    expect_equal(ids_of(shop), [1, 3], "rows")
    expect_waiting(shop, [2], ["row-level security policy"])
    shop.script(f'REVOKE ALL ON item FROM "{role}"')
    stall.write("INSERT INTO item VALUES (4, 4, 'd')")
    stall.sync(folder / "shared")
    said = shop.sync(folder / "shared", code=3).errors
    expect("permission denied for table item" in said and said.count("\n") == 1, said)
    expect_waiting(shop, [2])
    shop.script(f'GRANT ALL ON item TO "{role}"')
    pairs.settle(folder, [shop, stall])
    expect_equal(ids_of(shop), [1, 3, 4], "rows")
    shop.check()


if __name__ == "__main__":
    with Cluster() as pairs.CLUSTER:
        main([errors_of_functions, too_long_for_an_index, names_as_in_the_application,
              at_the_commit, kept_out_without_a_word, policies])
