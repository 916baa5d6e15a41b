#!/usr/bin/env bash
# log, history, status: what one database wrote, as text and as JSON.
. "$(dirname "$0")/cli.sh"

sqlite3 a.db 'CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, born REAL, photo BLOB);
    CREATE TABLE "odd ""table" (a TEXT COLLATE NOCASE, "b c" INTEGER, n,
        PRIMARY KEY (a, "b c")) WITHOUT ROWID;
    INSERT INTO person VALUES (1, "Ann", 1980.5, NULL), (2, "Bob", NULL, x'"'00ff'"');
    INSERT INTO "odd ""table" VALUES ("x", -9223372036854775808, 9e999);'
run 0 init sqlite:a.db --name office

# A row that is carried but not changed makes no entry.
sqlite3 a.db 'UPDATE person SET name = name, born = 1980.5'
run 0 capture
says out "captured 1 change"
run 0 log --json --since 3
equal "changes" "$(json '[(c["key"], c["old"]) for e in o for c in e["changes"]]')" \
    "[({'id': 2}, {'born': None})]"
run 0 capture
says out "captured 0 changes"

# Old values of changed columns only; rows whole.
sqlite3 a.db 'UPDATE person SET name = "Anna" WHERE id = 1;
    DELETE FROM person WHERE id = 2;
    INSERT INTO person VALUES (-7, cast(x'"'61ff'"' AS TEXT), 1e999, NULL)'
run 0 capture --json
equal "captured" "$(json 'o')" "[{'entries': 1, 'changes': 3}]"
run 0 log --json --since 4
equal "one entry" "$(json 'len(o)')" 1
equal "update" "$(json '[(c["old"], c["row"]["name"]) for c in o[0]["changes"]
    if c["op"] == "update"]')" "[({'name': 'Ann'}, 'Anna')]"
equal "delete" "$(json '[(c["old"], "row" in c) for c in o[0]["changes"]
    if c["op"] == "delete"]')" \
    "[({'id': 2, 'name': 'Bob', 'born': 1980.5, 'photo': {'blob64': 'AP8='}}, False)]"
equal "insert" "$(json '[(c["row"], "old" in c) for c in o[0]["changes"]
    if c["op"] == "insert"]')" \
    "[({'id': -7, 'name': {'text64': 'Yf8='}, 'born': {'real': 'Infinity'}, 'photo': None}, False)]"
equal "integers stay whole" "$(run 0 log --json && json '[c["key"]["b c"] for e in o
    if e["kind"] == "changes" for c in e["changes"] if "b c" in c["key"]][0]')" \
    -9223372036854775808

# Selections.
run 0 log --json --until 2
equal "seqs" "$(json '[e["seq"] for e in o]')" "[1, 2]"
run 0 log --json --table PERSON
equal "tables" "$(json '{c["table"] for e in o for c in e["changes"]}')" "{'person'}"
run 0 log --json --table person --limit 2
equal "the last two of a table" "$(json '[e["seq"] for e in o]')" "[4, 5]"
run 0 log --json --table person --table 'odd "table' --until 3
equal "two tables" "$(json 'sorted({c["table"] for e in o for c in e["changes"]})')" \
    "['odd \"table', 'person']"
run 0 log --json --table 'odd "table' --limit 1
equal "seqs" "$(json '[e["seq"] for e in o]')" "[3]"
run 0 log --json --since 2 --limit 9
equal "no more than there are" "$(json '[e["seq"] for e in o]')" "[3, 4, 5]"
run 0 log --limit 0
equal "lines" "$(wc -l <out)" 0
run 0 log --json --origin office --since 1h
equal "seqs" "$(json '[e["seq"] for e in o]')" "[1, 2, 3, 4, 5]"
run 0 log --json --since 4
run 0 log --json --since 4 --until "$(json 'o[-1]["time"]')"
equal "seqs" "$(json '[e["seq"] for e in o]')" "[5]"
run 0 log --since 2001-01-01 --until "2001-01-02 10:00"
equal "lines" "$(wc -l <out)" 0
run 1 log --table people
says err 'odd "table, person'
run 1 log --origin elsewhere
run 0 log
says out "name: 'Ann' → 'Anna'"
says out "delete person (2)"
[ "$(wc -L <out)" -le 80 ] || fail "a line over 80 columns"

# A row's history, found by what a person types.
run 0 history person 1
says out "(current)"
run 0 history person 2 --json
equal "ops" "$(json '[v["op"] for v in o]')" "['insert', 'update', 'delete']"
equal "current" "$(json '[v["current"] for v in o]')" "[False, False, True]"
run 0 history person -- -7
run 0 history 'odd "table' -- x -9223372036854775808
run 2 history 'odd "table' x
says err "(a, b c)"
run 1 history person 99
run 1 history people 1

# What only reads writes nothing.
before=$(print_of a.db .rowferry)
for command in status log conflicts "quarantine list" peers verify diff "history person 1" "blame person 1"; do
    # shellcheck disable=SC2086 # words
    run 0 $command
    # shellcheck disable=SC2086 # words
    run 0 $command --json
done
equal "store and database" "$(print_of a.db .rowferry)" "$before"

# Of an entry that wrote more than was asked for, it says so; and two formats are one too many.
sqlite3 a.db 'UPDATE person SET born = 1982 WHERE id = 1; UPDATE "odd ""table" SET n = 4'
run 0 capture
run 0 log --table person --limit 1
says out "2 changes, of which:"
run 0 log --limit 1
says_not out "of which"
run 2 log --format text --json
says err "say one of them"
run 0 log --format json --json --limit 1
equal "one object" "$(json 'len(o)')" 1
run 0 log --format text --limit 1

# The list --tables holds for every command.
sqlite3 b.db 'CREATE TABLE x (k PRIMARY KEY); CREATE TABLE y (k PRIMARY KEY)'
run 0 --store b init sqlite:b.db --tables x
sqlite3 b.db 'INSERT INTO x VALUES (1); INSERT INTO y VALUES (1)'
run 0 --store b capture
says out "captured 1 change"

# Names of tables can't command the terminal, nor break a line.
rm -rf n.db n && python3 -c 'import sqlite3
sqlite3.connect("n.db").execute("CREATE TABLE \"a\x1b[2J\nb\" (id INTEGER PRIMARY KEY)")'
run 0 --store n init sqlite:n.db --name n
run 0 --store n log
says out 'a\x1b[2J\nb'
if grep -q "$(printf '\033')" out; then fail "an ESC reaches the terminal"; fi
