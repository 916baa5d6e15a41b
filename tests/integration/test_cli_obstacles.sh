#!/usr/bin/env bash
# What stands in the way of one row stops no other: rows with NULL in their key, triggers that
# leave rows out.
set -euo pipefail
. "$(dirname "$0")/cli.sh"

# two SCHEMA: a.db founds, b.db joins, both hold the same.
two() {
    rm -rf ./* && mkdir folder
    sqlite3 a.db "$1"
    run 0 --store a init sqlite:a.db --name a
    run 0 --store a token token
    run 0 --store b init sqlite:b.db --name b --join token --create-tables
    run 0 --store a sync folder
    run 0 --store b sync folder
}

# A local row that is not replicated holds a unique value: the arriving row is quarantined.
two "CREATE TABLE t (k TEXT PRIMARY KEY, u TEXT UNIQUE)"
sqlite3 b.db "INSERT INTO t VALUES (NULL, 'x')"
sqlite3 a.db "INSERT INTO t VALUES ('1', 'x'), ('2', 'y')"
run 0 --store a sync folder
run 0 --store b sync folder
run 0 --store b quarantine list
says out "NULL in its key"
equal "the other row" "$(sqlite3 b.db "SELECT u FROM t WHERE k = '2'")" y
run 0 --store b diff

# It is a child whose parent goes, and a parent by a unique column.
two "CREATE TABLE p (id INTEGER PRIMARY KEY, n TEXT UNIQUE);
     CREATE TABLE c (k TEXT PRIMARY KEY, p REFERENCES p (id));
     INSERT INTO p VALUES (1, 'one'), (2, 'two')"
sqlite3 b.db "INSERT INTO c VALUES (NULL, 1)"
sqlite3 a.db "DELETE FROM p WHERE id = 1"
run 0 --store a sync folder
run 0 --store b sync folder
equal "parents" "$(sqlite3 b.db "SELECT count(*) FROM p")" 1
run 0 --store b diff

# RAISE(IGNORE) in a trigger that may fire: the row waits in the quarantine.
two "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); CREATE TABLE left_out (w)"
sqlite3 b.db "CREATE TABLE left_out (w); CREATE TRIGGER d BEFORE INSERT ON t WHEN new.a = 'spam'
    BEGIN INSERT INTO left_out VALUES (new.id); SELECT raise(IGNORE); END"
sqlite3 a.db "INSERT INTO t VALUES (1, 'spam'), (2, 'ok')"
run 0 --store a sync folder
run 0 --store b sync folder
run 0 --store b quarantine list
says out "left the row out"
equal "the other row" "$(sqlite3 b.db "SELECT a FROM t")" ok

# Before the first sync, diff says what is lacking, not that something was restored.
rm -rf ./* && mkdir folder
sqlite3 a.db "CREATE TABLE t (id INTEGER PRIMARY KEY); CREATE TABLE rowferry_notes (id INTEGER PRIMARY KEY)"
run 0 --store a init sqlite:a.db --name a --json
equal "a table that only sounds like ours" "$(json "'rowferry_notes' in o[0]['tables']")" True
run 0 --store a token token
run 0 --store b init sqlite:b.db --name b --join token --create-tables
run 1 --store b diff
says err "has not joined"

# A collation that only the application has: the table is named, the others go on.
rm -rf ./* && mkdir folder
python3 - <<'PYTHON'
import sqlite3
for name in ("a.db", "b.db"):
    database = sqlite3.connect(name)
    database.create_collation("mine", lambda a, b: (a > b) - (a < b))
    database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT COLLATE mine UNIQUE)")
    database.execute("CREATE TABLE u (id INTEGER PRIMARY KEY, v)")
    if name == "a.db":
        database.execute("INSERT INTO t VALUES (1, 'x')")
        database.execute("INSERT INTO u VALUES (1, 2)")
    database.commit()
PYTHON
run 0 --store a init sqlite:a.db --name a
says out "its collation mine is the application's own"
run 0 --store a token token
run 0 --store b init sqlite:b.db --name b --join token
run 0 --store a sync folder
run 0 --store b sync folder
equal "the other table" "$(sqlite3 b.db "SELECT v FROM u")" 2
run 0 --store b diff
