"""What `status` says of a Postgres database's slot: whatever has become of it, and of a server
that does not answer, it says so and succeeds."""

import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from postgres import Cluster  # noqa: E402
from postgres_node import PostgresNode  # noqa: E402
from rowferry import expect, expect_equal, main  # noqa: E402

CLUSTER = None


def make_shop(folder):
    shop = PostgresNode(folder, folder.name.replace("-", "_"), CLUSTER)
    shop.script("CREATE TABLE item (id integer PRIMARY KEY, body text)")
    shop.init()
    return shop


def slot_of(shop):
    return shop.run("status", "--json").json()["slot"]


def lines_of(shop):
    output = shop.run("status").output
    lines = output.splitlines()
    at = [i for i, line in enumerate(lines) if line.startswith("slot ")]
    expect_equal(len(at), 1, output)
    expect(all(len(line) <= 80 for line in lines[at[0]:at[0] + 2]), output)
    return "\n".join(lines[at[0]:at[0] + 2])


def in_order(folder):
    shop = make_shop(folder)
    slot = slot_of(shop)
    expect_equal(slot["wal_status"], "reserved", "wal_status")
    expect_equal((slot["active"], "left" in slot, "trouble" in slot), (False, False, False), "rest")
    expect("reserved" in lines_of(shop) and "left" not in lines_of(shop), lines_of(shop))
    shop.write("INSERT INTO item SELECT i, repeat('x', 100) FROM generate_series(1, 10000) i")
    later = slot_of(shop)
    expect(later["kept"] > slot["kept"] + 1000000, f"more is kept: {slot} {later}")
    expect_equal(later["position"], slot["position"], "and nothing captured")
    shop.run("capture")
    expect(slot_of(shop)["position"] != slot["position"], "it has moved")


def given_up(folder):
    """Limited, then beyond the limit, then lost, and then gone."""
    shop = make_shop(folder)
    with CLUSTER.connect("postgres") as admin:
        admin.run("ALTER SYSTEM SET max_slot_wal_keep_size = '32MB'")
        admin.run("SELECT pg_reload_conf()")
        expect(0 < slot_of(shop)["left"] <= 64 << 20, f"{slot_of(shop)}")
        expect("left to the limit" in lines_of(shop), lines_of(shop))
        expect("unknown time until then" in shop.run("status").output, "no rate yet")
        shop.write("INSERT INTO item VALUES (1, 'x')")
        shop.run("capture")
        shop.write("SELECT pg_logical_emit_message(false, 'x', repeat('y', 1000000))")
        until = time.monotonic() + 10
        while "left_seconds" not in slot_of(shop):
            expect(time.monotonic() < until, f"no rate: {slot_of(shop)}")
        # A megabyte in the second or more that has passed since.
        expect(20 < slot_of(shop)["left_seconds"] < 10000, f"{slot_of(shop)}")
        expect("unknown" not in shop.run("status").output, shop.run("status").output)
        for _ in range(8):
            shop.write("SELECT pg_logical_emit_message(false, 'x', repeat('y', 10000000))")
        admin.run("CHECKPOINT")
        expect_equal(slot_of(shop)["wal_status"], "lost", "wal_status")
        expect("gave it up" in lines_of(shop), lines_of(shop))
        shop.refuse(1, "given up by the server", "capture")
        admin.run(f"SELECT pg_drop_replication_slot('{slot_of(shop)['name']}')")
        admin.run("ALTER SYSTEM RESET max_slot_wal_keep_size")
        admin.run("SELECT pg_reload_conf()")
    expect_equal(slot_of(shop)["wal_status"], "missing", "wal_status")
    expect("it is gone" in lines_of(shop), lines_of(shop))
    shop.refuse(1, "is gone", "capture")


def server_away(folder):
    shop = make_shop(folder)
    CLUSTER.stop()
    slot = slot_of(shop)
    expect_equal((set(slot), slot["trouble"] != ""), ({"name", "trouble"}, True), "what is said")
    expect("log          2 entries" in shop.run("status").output, "the rest")
    CLUSTER.start()
    expect_equal(slot_of(shop)["wal_status"], "reserved", "wal_status")


if __name__ == "__main__":
    with Cluster() as CLUSTER:
        main([in_order, given_up, server_away])
