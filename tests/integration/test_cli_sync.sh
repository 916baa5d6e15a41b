#!/usr/bin/env bash
# An office and two laptops that meet in a folder: joining, edits apart, a conflict, a
# delete against an update, a change that travels by way of the third.
. "$(dirname "$0")/cli.sh"

sqlite3 office.db 'CREATE TABLE city (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT,
        city INTEGER REFERENCES city ON DELETE CASCADE);
    CREATE INDEX by_name ON person (name);
    INSERT INTO city VALUES (1, "Ulm"), (2, "Rome");
    INSERT INTO person VALUES (1, "Ann", 1), (2, "Bob", 2), (3, "Eve", NULL);'
run 0 --store office init sqlite:office.db --name office
run 0 --store office token token
mkdir folder

# A newcomer: nothing is captured, and nothing can be had from an empty folder.
run 3 --store a init sqlite:a.db --join token --name a
says err "--create-tables"
run 0 --store a init sqlite:a.db --join token --create-tables --name a
run 1 --store a capture
says err "has not joined"
run 1 --store a sync folder
says err "has not joined"
run 0 --store a status --json
equal "joining" "$(json 'o[0]["joining"], o[0]["entries"]')" "(True, 0)"

run 0 --store office sync folder
says out "sent 3 entries"
run 0 --store a sync folder
says out "received 3, conflicts 0, parked 0, quarantined 0"
run 0 --store a status --json
equal "joining" "$(json 'o[0]["joining"], o[0]["waiting"]')" "(False, 0)"
run 0 --store a diff
equal "rows" "$(sqlite3 a.db 'SELECT * FROM person')" "$(sqlite3 office.db 'SELECT * FROM person')"
equal "schema" "$(sqlite3 a.db "SELECT sql FROM sqlite_schema WHERE name = 'by_name'")" \
    "CREATE INDEX by_name ON person (name)"
run 0 --store b init sqlite:b.db --join token --create-tables --name b
run 0 --store b sync folder

# A database whose rows are not as the fleet's does not join; nothing of it changes.
sqlite3 full.db 'CREATE TABLE city (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    INSERT INTO city VALUES (1, "Oslo")'
before=$(print_of full.db)
run 0 --store full init sqlite:full.db --join token
run 1 --store full sync folder
says err "city 1"
equal "the full database" "$(print_of full.db)" "$before"
rm -rf full full.db

meet() {
    for name in office a b office a b office a b; do run 0 --store $name sync folder; done
}
all_equal() {
    for name in office a b; do
        run 0 --store $name diff
        run 0 --store $name verify
        sqlite3 $name.db 'SELECT * FROM city ORDER BY id; SELECT * FROM person ORDER BY id' \
            >$name.rows
    done
    cmp office.rows a.rows
    cmp office.rows b.rows
}
meet
all_equal

# Edits apart: different rows, one row twice, a delete against an update, a name twice.
sqlite3 office.db 'UPDATE person SET name = "Ann of the office" WHERE id = 1;
    DELETE FROM person WHERE id = 3; INSERT INTO city VALUES (3, "Oslo")'
sleep 0.01
sqlite3 a.db 'UPDATE person SET name = "Ann of a" WHERE id = 1;
    UPDATE person SET name = "Evelyn" WHERE id = 3; INSERT INTO city VALUES (4, "Oslo")'
sqlite3 b.db 'INSERT INTO person VALUES (4, "Dan", 1)'
run 0 --store office sync folder
run 0 --store a sync folder
says out "conflicts 2"
meet
all_equal
equal "the later one won" "$(sqlite3 b.db 'SELECT name FROM person WHERE id = 1')" "Ann of a"
equal "the update came later" "$(sqlite3 b.db 'SELECT name FROM person WHERE id = 3')" Evelyn
equal "one Oslo" "$(sqlite3 b.db "SELECT id FROM city WHERE name = 'Oslo'")" 3
for name in office a b; do
    run 0 --store $name conflicts --json
    equal "conflicts of $name" "$(json 'sorted((c["kind"], str(c["key"]),
        c.get("loser", {}).get("name")) for c in o)')" \
        "[('row', \"{'id': 1}\", 'office'), ('row', \"{'id': 3}\", 'office'), ('unique', \"{'id': 4}\", None)]"
    run 0 --store $name conflicts
    says out "name = 'Ann of the office'"
    says out "deleted"
    says out "parked  city (4)"
    [ "$(wc -L <out)" -le 80 ] || fail "a line over 80 columns"
    run 0 --store $name history person 1 --json
    equal "history of $name" "$(json '[(v["row"]["name"], v["current"], v.get("beaten_by",
        {}).get("name")) for v in sorted(o, key=lambda v: v["version"])]')" \
        "[('Ann', False, None), ('Ann of the office', False, 'a'), ('Ann of a', True, None)]"
    run 0 --store $name status --json
    equal "counts of $name" "$(json 'o[0]["conflicts"], o[0]["parked"], o[0]["quarantined"]')" \
        "(2, 1, 0)"
done

# The name is free again: the parked row comes back everywhere.
sqlite3 office.db 'DELETE FROM city WHERE id = 3'
meet
all_equal
equal "the other Oslo" "$(sqlite3 b.db "SELECT id FROM city WHERE name = 'Oslo'")" 4

# A column that only one node has keeps its value.
sqlite3 b.db 'ALTER TABLE person ADD COLUMN note TEXT; UPDATE person SET note = "mine"'
sqlite3 office.db 'UPDATE person SET name = "Bobby" WHERE id = 2'
for name in b office a b office; do run 0 --store $name sync folder; done
equal "note" "$(sqlite3 b.db 'SELECT name, note FROM person WHERE id = 2')" "Bobby|mine"

# Who is where.
run 0 --store office peers --json
equal "members" "$(json 'sorted(p["name"] for p in o)')" "['a', 'b', 'office']"
meet
run 0 --store office peers --json
equal "behind" "$(json '[p["behind"]["entries"] for p in o if not p["self"]]')" "[0, 0]"

# Ten more of equal nodes change nothing.
meet
before=$(print_of folder ./*.db office a b)
for _ in 1 2 3 4 5 6 7 8 9 10; do
    for name in office a b; do
        run 0 --store $name sync folder
        says out "sent 0 entries, received 0, conflicts 0, parked 0, quarantined 0"
    done
done
equal "everything" "$(print_of folder ./*.db office a b)" "$before"

# run --once: several targets, until nothing moves; without one capture and apply.
mkdir second
sqlite3 a.db 'INSERT INTO city VALUES (9, "Lima")'
run 0 --store a run --once --sync folder --sync second --json
equal "rounds" "$(json 'o[0]["captured"]["changes"]')" 1
run 0 --store b run --once --sync second
equal "by the second folder" "$(sqlite3 b.db 'SELECT name FROM city WHERE id = 9')" Lima
sqlite3 b.db 'DELETE FROM city WHERE id = 9'
run 0 --store b run --once
run 0 --store b diff

# A store is no directory to sync by, its own least of all: nothing is written into one.
before=$(print_of office a b)
run 2 --store a sync a
says err "a: a store; this version does not sync with a store by its path"
run 2 --store a sync office
run 2 --store a run --once --sync "$PWD/b"
equal "the stores" "$(print_of office a b)" "$before"
