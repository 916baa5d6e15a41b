#!/usr/bin/env bash
# Tables that the fleet knows by another name or key: rowferry.ini, [table NAME].
set -euo pipefail
. "$(dirname "$0")/cli.sh"

# found SQL, join NAME SQL: a node of its own each, made by the application.
found() {
    rm -rf a b c a.db b.db c.db folder
    mkdir folder
    sqlite3 a.db "$1"
    run 0 --store a init sqlite:a.db --name a
    run 0 --store a token token
    run 0 --store a sync folder
}
join() {
    sqlite3 "$1.db" "$2"
    run 0 --store "$1" init "sqlite:$1.db" --name "$1" --join token
}
visit() {
    for node; do run 0 --store "$node" sync folder; done
}
ask() {
    equal "$1: $2" "$(sqlite3 "$1.db" "$2")" "$3"
}

# ---- names that differ by case only meet, those of columns too, both ways
found "CREATE TABLE Person (ID INTEGER PRIMARY KEY, Name TEXT);
       CREATE TABLE Pet (ID INTEGER PRIMARY KEY, Owner REFERENCES Person (ID));
       INSERT INTO Person VALUES (1, 'Ada'); INSERT INTO Pet VALUES (1, 1);"
join b "CREATE TABLE PET (id integer primary key, owner references PERSON (id));
        CREATE TABLE PERSON (id integer primary key, NAME text);"
visit b
sqlite3 b.db "UPDATE person SET name = 'Eve' WHERE id = 1; INSERT INTO person VALUES (2, 'Bob')"
visit b a
ask a "SELECT * FROM Person" $'1|Eve\n2|Bob'
sqlite3 a.db "DELETE FROM Person WHERE ID = 2; UPDATE Pet SET Owner = NULL"
visit a b
ask b "SELECT * FROM person" "1|Eve"
ask b "SELECT ifnull(owner, 'none') FROM pet" "none"
run 0 --store b diff
run 0 --store b verify
run 0 --store b log --table Person
says out "Person"
run 0 --store b conflicts
says_not out "1"
# A table keeps the name by which it was logged.
printf '[table PERSON]\nname = people\n' >>b/rowferry.ini
run 1 --store b sync folder
says err "by now"

# ---- told names, and a foreign key to a parent of another name
found "CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT);
       CREATE TABLE \"order\" (id INTEGER PRIMARY KEY, c REFERENCES customer (id));
       INSERT INTO customer VALUES (1, 'one'); INSERT INTO \"order\" VALUES (1, 1);"
join b "CREATE TABLE kunde (id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE \"best] ;ellung\" (id INTEGER PRIMARY KEY, c REFERENCES kunde (id));"
cat >>b/rowferry.ini <<'X'
[table kunde]
name = customer
[table best] ;ellung]
name = order
[table nothing]
direction = out
X
run 0 --store b sync folder
says err "[table nothing]"
ask b 'SELECT * FROM kunde, "best] ;ellung" b' "1|one|1|1"
sqlite3 b.db "INSERT INTO kunde VALUES (2, 'two'); INSERT INTO \"best] ;ellung\" VALUES (2, 2)"
visit b a
ask a 'SELECT id, c FROM "order"' $'1|1\n2|2'
# The parent goes: its children are parked, by the names that each has.
sqlite3 a.db "DELETE FROM customer WHERE id = 2"
visit a b
ask b 'SELECT id FROM "best] ;ellung"' 1
run 0 --store b diff
says out "1 parked"
run 0 --store b history kunde 2
run 0 --store b history customer 2

# ---- two tables can't be one; one that could be two says so before anything is logged
found "CREATE TABLE tab (id INTEGER PRIMARY KEY)"
join b "CREATE TABLE x (id INTEGER PRIMARY KEY); CREATE TABLE TAB (id INTEGER PRIMARY KEY)"
printf '[table x]\nname = TAB\n[table TAB]\nname = TAB\n' >>b/rowferry.ini
run 1 --store b sync folder
says err "would both be TAB"
printf '[table x]\nname = x\n' >>b/rowferry.ini # the last line counts
visit b a
join c "CREATE TABLE Tab (id INTEGER PRIMARY KEY)"
run 1 --store c sync folder
says err "could be the fleet's tab or TAB: in rowferry.ini, below [table Tab], write name = "
printf '[table Tab]\nname = tab\n' >>c/rowferry.ini
sqlite3 a.db "INSERT INTO tab VALUES (7)"
visit a c
ask c "SELECT id FROM tab" 7

# ---- a key where there is no primary key; --create-tables needs no hand
cat >settings <<'X'
[table Part]
name = stock.part
key = plant, Code
X
rm -rf a a.db b b.db folder
mkdir folder
sqlite3 a.db "CREATE TABLE Part (Code TEXT NOT NULL, Plant TEXT NOT NULL, n INTEGER,
              UNIQUE (Code, Plant)); INSERT INTO Part VALUES ('x', 'p', 1), ('y', 'p', 2);
              CREATE TABLE bare (v);"
run 0 --store a init sqlite:a.db --name a --settings settings --check
says out "Part, to the fleet stock.part, key Plant + Code"
says out "bare: no primary key"
run 0 --store a init sqlite:a.db --name a --settings settings --json
equal "rules" "$(json 'o[0]["rules"]')" \
    "[{'table': 'Part', 'name': 'stock.part', 'key': ['Plant', 'Code'], 'direction': 'both'}]"
run 0 --store a token token
visit a
run 0 --store b init sqlite:b.db --name b --join token --create-tables
visit b
ask b "SELECT * FROM part ORDER BY code" $'x|p|1\ny|p|2'
sqlite3 b.db "UPDATE part SET n = 3 WHERE code = 'y'; DELETE FROM part WHERE code = 'x';
              INSERT INTO part VALUES ('z', 'q', 4)"
visit b a
ask a "SELECT * FROM part ORDER BY code" $'y|p|3\nz|q|4'
run 0 --store a history stock.part q z
# Nor does one who has such a table already.
rm -rf c c.db
join c "CREATE TABLE part (n INT, plant TEXT NOT NULL, code TEXT NOT NULL);
        CREATE UNIQUE INDEX pc ON part (plant, code);"
visit c
ask c "SELECT code, n FROM part ORDER BY code" $'y|3\nz|4'
run 0 --store c diff

# ---- directions
found "CREATE TABLE p (id INTEGER PRIMARY KEY, v); INSERT INTO p VALUES (1, 1);"
run 0 --store b init sqlite:b.db --name b --join token --create-tables
printf '[table p]\ndirection = out\n' >>b/rowferry.ini
visit b
ask b "SELECT count(*) FROM p" 0
sqlite3 b.db "INSERT INTO p VALUES (2, 2)"
visit b a
ask a "SELECT id FROM p" $'1\n2'
run 0 --store b status
says out "not taken    p"
run 0 --store b status --json
equal "not taken" "$(json 'o[0]["not_taken"]')" "['p']"
run 0 --store b diff
says out "1 of tables that take nothing"
run 0 --store b diff --json
equal "not taken" "$(json 'o[-1]["not_taken"]')" 1
sed -i 's/= out/= in/' b/rowferry.ini
visit b
ask b "SELECT id FROM p" $'1\n2'
sqlite3 b.db "UPDATE p SET v = 9"
visit b a
ask a "SELECT v FROM p" $'1\n2'
run 1 --store b diff
says out "changed p (1)"
