#!/usr/bin/env bash
# Functions and collations that only the application registers: tables that use them are
# named, captured and compared; what can't be written waits; the others don't notice.
. "$(dirname "$0")/cli.sh"

# application FILE SQL: a program that has the function f and the collation mine.
application() {
    python3 - "$@" <<'PYTHON'
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
database.create_function("f", 1, lambda value: value, deterministic=True)
database.create_collation("mine", lambda a, b: (a > b) - (a < b))
database.executescript(sys.argv[2])
database.close()
PYTHON
}
tables='CREATE TABLE checked (id INTEGER PRIMARY KEY, v, CHECK (f(v) > 0));
    CREATE TABLE indexed (id INTEGER PRIMARY KEY, v, w UNIQUE); CREATE INDEX i ON indexed (f(v));
    CREATE TABLE sorted (id INTEGER PRIMARY KEY, v); CREATE INDEX s ON sorted (v COLLATE mine);
    CREATE TABLE partial (id INTEGER PRIMARY KEY, v); CREATE UNIQUE INDEX p ON partial (v) WHERE f(v);
    CREATE TABLE virtual (id INTEGER PRIMARY KEY, v, g AS (f(v)));
    CREATE TABLE stored (id INTEGER PRIMARY KEY, v REFERENCES checked, g AS (f(v)) STORED);
    CREATE TABLE plain (id INTEGER PRIMARY KEY, v REFERENCES checked, d DEFAULT (f(1)));
    CREATE TABLE seen (v); CREATE TRIGGER t AFTER INSERT ON plain BEGIN INSERT INTO seen VALUES (f(new.id)); END;'
lacking='checked indexed partial sorted stored virtual'
rows() {
    for table in $lacking; do printf "INSERT INTO %s (id, v) VALUES (%s, %s);" $table "$1" "$1"; done
    printf 'INSERT INTO plain (id, v) VALUES (%s, %s);' "$1" "$1"
}
sync() { for node; do run 0 --store "$node" sync folder; done; }

mkdir folder
application a.db "$tables $(rows 1)"
application b.db "$tables"
run 0 --store a init sqlite:a.db --name a --check --json
equal "lacking" "$(json '" ".join(e["table"] for e in o[0]["lacking"])')" "$lacking"
equal "replicated all the same" "$(json 'len(o[0]["tables"])')" 7
run 0 --store a init sqlite:a.db --name a
says out "checked: no such function: f"
says out "sorted: no such collation sequence: mine"
run 0 --store a diff
says out "without its constraints: indexed (no such function: f)"
says out "7 rows in 7 tables compared: 0 missing"

# What arrives goes where it can, the rest waits by name; each side says what it left out.
run 0 --store a token token
run 0 --store b init sqlite:b.db --name b --join token
sync a b
says out "quarantined 6"
run 0 --store b quarantine list
says out "unknown function: f()"
equal "a child of a row that waits" "$(sqlite3 b.db 'SELECT count(*) FROM plain')" 0
run 0 --store b diff
says out "1 parked, 6 quarantined"

# What the application writes there is captured, and compared with what the log has.
application b.db "$(rows 2)"
sync b a
says out "quarantined 6"
equal "a child of a row that waits" "$(sqlite3 a.db 'SELECT count(*) FROM plain')" 1
run 0 --store a diff
run 0 --store b diff --json
equal "said of each" "$(json '" ".join(e["table"] for e in o if e["kind"] == "lacking")')" "$lacking"
equal "counted" "$(json 'o[-1]["lacking"], o[-1]["quarantined"]')" "(6, 6)"
application a.db 'DELETE FROM indexed; UPDATE stored SET v = NULL; INSERT INTO virtual (id, v) VALUES (9, 9)'
run 1 --store a diff
says out "missing indexed (1)"
says out "changed stored (1)"
says out "extra virtual (9)"
sync a b a b
run 0 --store a diff
run 0 --store b diff

# Nothing of it can be parked: a row whose value another has waits with the reason.
sqlite3 a.db 'CREATE TABLE wide (id INTEGER PRIMARY KEY, u)'
application b.db 'CREATE TABLE wide (id INTEGER PRIMARY KEY, u UNIQUE, v, CHECK (f(v) > 0));
    INSERT INTO wide (id, u) VALUES (1, 1), (2, 2)'
sync b a
sqlite3 a.db 'UPDATE wide SET u = 2 WHERE id = 1'
sync a b
run 0 --store b quarantine list
says out "another row of wide has one of its unique values"
says out "older can't be decided here: no such function: f"
run 0 --store b diff

# What the schema no longer needs comes in.
application b.db 'DROP INDEX i; DROP INDEX s'
run 0 --store b sync folder
equal "free now" "$(sqlite3 b.db 'SELECT count(*) FROM sorted')" 2
run 0 --store b diff
says_not out "sorted"

# Who makes its tables leaves those out, and takes the rows in when they are made.
run 0 --store c init sqlite:c.db --name c --join token --create-tables
run 0 --store c sync folder
says err "table checked is not made: no such function: f"
equal "tables" "$(sqlite3 c.db "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1" | tr '\n' ' ')" "plain rowferry_state wide "
run 0 --store c diff
sqlite3 c.db 'CREATE TABLE sorted (id INTEGER PRIMARY KEY, v)'
run 0 --store c sync folder
equal "rows" "$(sqlite3 c.db 'SELECT count(*) FROM sorted')" 2
run 0 --store c diff

# A restored database is rewritten where it can be; there it stays as it is, and waits.
application a.db 'INSERT INTO checked VALUES (6, 6); INSERT INTO indexed (id, v) VALUES (6, 6)'
sync a
cp a.db copy.db
application a.db 'INSERT INTO checked VALUES (5, 5); UPDATE checked SET v = 60 WHERE id = 6;
    DELETE FROM indexed WHERE id = 6; INSERT INTO wide VALUES (7, 7)'
sync a
application copy.db 'INSERT INTO wide VALUES (9, 9); INSERT INTO indexed (id, v) VALUES (10, 10)'
cp copy.db a.db
run 0 --store a resync
equal "the others are as the log has them" "$(sqlite3 a.db 'SELECT id FROM wide' | tr '\n' ' ')" "1 2 7 "
equal "kept" "$(sqlite3 a.db 'SELECT * FROM checked' | tr '\n' ' ')" "1|1 6|6 "
equal "kept" "$(sqlite3 a.db 'SELECT id FROM indexed NOT INDEXED' | tr '\n' ' ')" "6 10 "
run 0 --store a quarantine list
says out "checked (5)"
says out "checked (6)"
says out "indexed (6)"
sync a b a
run 0 --store a diff
run 0 --store a verify
run 0 --store b log --format json --table checked
equal "no write of a's" "$(json '[c["row"]["v"] for e in o for c in e["changes"] if c["key"] == {"id": 6}][-1]')" 60
application a.db 'DROP INDEX i'
sync a
equal "deleted after all" "$(sqlite3 a.db 'SELECT count(*) FROM indexed WHERE id = 6')" 0
run 0 --store a diff
