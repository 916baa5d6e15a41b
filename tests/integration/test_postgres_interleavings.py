"""Each way in which a local commit can fall between what capture has passed, the writing of a
batch, its commit and its echo; row locks of other sessions hold the batch where it is wanted."""

import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

import postgres_pairs as pairs  # noqa: E402
from postgres import Cluster  # noqa: E402
from rowferry import BINARY, expect, expect_equal, main  # noqa: E402

DEADLINE = 60  # seconds for what takes far less


class Behind:
    """rowferry apply, in the background."""

    def __init__(self, node):
        self.process = subprocess.Popen([BINARY, "--store", node.store, "apply"],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def end(self):
        output, errors = self.process.communicate(timeout=DEADLINE)
        expect_equal((self.process.returncode, errors), (0, b""), "apply")
        return output


def wait_for(what, asked):
    until = time.monotonic() + DEADLINE
    while not asked():
        expect(time.monotonic() < until, what)


def waits(node, count=1, what="the batch"):
    """So many sessions of the database wait for a lock."""
    def asked():
        found = node.rows("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                          " AND datname = current_database()")
        return int(found[0][0]) >= count

    wait_for(f"{what}: {count} sessions that wait for a lock", asked)


def make(folder):
    shop, stall = pairs.make_pair(folder, """
        CREATE TABLE spot (id integer PRIMARY KEY, n integer, word text);
        INSERT INTO spot SELECT i, 0, 'old' FROM generate_series(1, 3) i;""")
    pairs.settle(folder, [shop, stall])
    return shop, stall


def bring(folder, shop, stall, sql):
    """What the stall writes is in the shop's store, and waits to be applied."""
    stall.write(sql)
    stall.run("capture")
    stall.run("export", folder / "segment")
    shop.run("import", folder / "segment")
    (folder / "segment").unlink()


def same(folder, shop, stall, what, wanted):
    pairs.settle(folder, [shop, stall])
    pairs.expect_same(shop, stall, "spot", ["id", "n", "word"], ["integer", "integer", "text"],
                      ["id"], what)
    shop.check()
    expect_equal(shop.rows("SELECT n, word FROM spot WHERE id = 1"), wanted, what)
    expect_equal(shop.inspect()["repair"], 0, f"rows to repair: {what}")


def conflicts(node):
    return len(node.run("conflicts", "--json").json_lines())


def held_open(folder, shop, stall, local, foreign, wanted, what):
    """The local transaction has written when the batch comes, and commits while that waits."""
    shop.write(["DELETE FROM spot WHERE id = 1", "INSERT INTO spot VALUES (1, 0, 'old')"])
    pairs.carry(folder, shop, stall)
    before = conflicts(shop)
    bring(folder, shop, stall, foreign)
    with shop.connect() as connection:
        connection.run("BEGIN")
        for statement in local:
            connection.run(statement)
        batch = Behind(shop)
        waits(shop, what=what)
        connection.run("COMMIT")
        batch.end()
    pairs.carry(folder, shop, stall)
    expect_equal(shop.rows("SELECT n, word FROM spot WHERE id = 1"), wanted, what)
    expect_equal(conflicts(shop), before + 1, f"conflicts: {what}")


def local_commits_while_the_batch_waits(folder):
    update = "UPDATE spot SET n = 7, word = 'here' WHERE id = 1"
    delete = "DELETE FROM spot WHERE id = 1"
    insert = "INSERT INTO spot VALUES (1, 8, 'here again')"
    there = "UPDATE spot SET n = 5 WHERE id = 1"
    gone = "DELETE FROM spot WHERE id = 1"
    pair = make(folder)
    for local, foreign, wanted, what in [
            ([update], there, [("7", "here")], "update against update"),
            (["SAVEPOINT s", update, "RELEASE s"], there, [("7", "here")], "a subtransaction"),
            ([delete], there, [], "delete against update"),
            ([update], gone, [("7", "here")], "update against delete"),
            ([delete, insert], there, [("8", "here again")], "a row anew against update")]:
        held_open(folder, *pair, local, foreign, wanted, what)
    same(folder, *pair, "all of them", [("8", "here again")])


def local_insert_of_a_new_key(folder):
    shop, stall = make(folder)
    bring(folder, shop, stall, ["DELETE FROM spot WHERE id = 1"])
    shop.run("apply")
    bring(folder, shop, stall, "INSERT INTO spot VALUES (1, 5, 'there')")
    with shop.connect() as connection:
        connection.run("BEGIN")
        connection.run("INSERT INTO spot VALUES (1, 9, 'mine')")
        batch = Behind(shop)
        waits(shop)
        connection.run("COMMIT")
        batch.end()
    same(folder, shop, stall, "insert against insert", [("9", "mine")])


def local_insert_among_many_new_keys(folder):
    """They come by COPY, which fails for one that is there: the others are written all the same,
    and that one as its versions say."""
    shop, stall = make(folder)
    bring(folder, shop, stall, """
        WITH RECURSIVE number (n) AS (SELECT 11 UNION ALL SELECT n + 1 FROM number WHERE n < 210)
        INSERT INTO spot SELECT n, 5, 'there' FROM number""")
    with shop.connect() as connection:
        connection.run("BEGIN")
        connection.run("INSERT INTO spot VALUES (110, 9, 'mine')")
        batch = Behind(shop)
        waits(shop)
        copying = shop.rows("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                            " AND datname = current_database() AND query LIKE 'COPY%'")
        connection.run("COMMIT")
        batch.end()
    expect_equal(copying, [("1",)], "batches that wait in COPY")
    expect_equal(shop.rows("SELECT word, count(*) FROM spot WHERE id > 10 GROUP BY word ORDER BY 1"),
                 [("mine", "1"), ("there", "199")], "rows")
    same(folder, shop, stall, "an insert among many", [("0", "old")])
    expect_equal(stall.rows("SELECT n, word FROM spot WHERE id = 110"), [(9, b"mine")], "the row")


def a_subtransaction_of_who_still_runs(folder):
    """Its xid is below the snapshot's end and not among those that run: the row is not known,
    whoever asks pg_visible_in_snapshot()."""
    shop, stall = make(folder)
    with shop.connect() as connection:
        connection.run("BEGIN")
        connection.run("UPDATE spot SET n = 1 WHERE id = 2")
        connection.run("SAVEPOINT s")
        connection.run("UPDATE spot SET n = 7, word = 'here' WHERE id = 1")
        connection.run("RELEASE s")
        bring(folder, shop, stall, "UPDATE spot SET n = 5 WHERE id = 1")
        shop.script("CREATE TABLE moves_the_next_xid_on ()")
        batch = Behind(shop)
        waits(shop)
        connection.run("COMMIT")
        batch.end()
    same(folder, shop, stall, "a subtransaction", [("7", "here")])


def local_comes_after_the_batch_has_written(folder):
    """It waits for the batch, has seen what that wrote, and so wins without a conflict. A batch
    writes its rows by key: it has the first when it waits for the second."""
    shop, stall = make(folder)
    bring(folder, shop, stall, "UPDATE spot SET n = 5 WHERE id < 3")
    with shop.connect() as holder, shop.connect() as local:
        holder.run("BEGIN")
        holder.run("SELECT * FROM spot WHERE id = 2 FOR UPDATE")
        batch = Behind(shop)
        waits(shop)
        local.send("UPDATE spot SET word = 'after' WHERE id = 1")
        waits(shop, 2)
        holder.run("COMMIT")
        batch.end()
        local.end()
    same(folder, shop, stall, "after the batch", [("5", "after")])
    expect_equal(shop.run("conflicts", "--json").json_lines(), [], "conflicts")


def committed_and_not_captured(folder):
    """Each of these commits before the batch and after the last capture."""
    shop, stall = make(folder)
    bring(folder, shop, stall, "UPDATE spot SET n = 5 WHERE id = 1")
    shop.write("UPDATE spot SET n = 7, word = 'here' WHERE id = 1")
    shop.run("apply")
    same(folder, shop, stall, "update", [("7", "here")])
    bring(folder, shop, stall, "DELETE FROM spot WHERE id = 1")
    shop.write("UPDATE spot SET n = 8 WHERE id = 1")
    shop.run("apply")
    same(folder, shop, stall, "update against delete", [("8", "here")])
    shop.write(["DELETE FROM spot WHERE id = 1"])
    bring(folder, shop, stall, "UPDATE spot SET n = 9 WHERE id = 1")
    shop.run("apply")
    # The stall's update is the later one.
    same(folder, shop, stall, "delete, then update", [("9", "here")])


if __name__ == "__main__":
    with Cluster() as pairs.CLUSTER:
        main([local_commits_while_the_batch_waits, local_insert_of_a_new_key,
              local_insert_among_many_new_keys,
              a_subtransaction_of_who_still_runs, local_comes_after_the_batch_has_written,
              committed_and_not_captured])
