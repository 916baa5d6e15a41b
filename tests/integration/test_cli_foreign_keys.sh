#!/usr/bin/env bash
# Whether foreign keys count travels: the founder decides, joiners take it over, each node
# says where another has it otherwise, and a changed line parks or releases what it must.
. "$(dirname "$0")/cli.sh"

# set_line NODE TEXT: the one line of rowferry.ini.
set_line() {
    sed -i '/foreign_keys = /d' "$1/rowferry.ini"
    printf '%s\n' "$2" >>"$1/rowferry.ini"
}
children() { sqlite3 "$1.db" 'SELECT group_concat(id) FROM (SELECT id FROM child ORDER BY id)'; }
# meet NODE...: each syncs with the folder, what the last one said is in out and err.
meet() { for node; do run 0 --store "$node" sync folder; done; }

# A founder with rows that lack a parent; keys of tables that are not replicated don't count.
mkdir folder
sqlite3 a.db 'CREATE TABLE parent (id INTEGER PRIMARY KEY);
    CREATE TABLE child (id INTEGER PRIMARY KEY, p REFERENCES parent);
    CREATE TABLE keyless (p REFERENCES parent);
    INSERT INTO keyless VALUES (5);
    INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1, 1), (2, 8), (3, 9)'
run 0 --store a init sqlite:a.db --name a --check --tables parent --json
equal "without the child" "$(json 'o[0]["foreign_keys"], "broken" in o[0]')" "(True, False)"
run 0 --store a init sqlite:a.db --name a --check --json
equal "broken" "$(json 'o[0]["foreign_keys"], o[0]["broken"]')" "(False, 'child has 2 rows without a parent in parent')"
run 0 --store a init sqlite:a.db --name a
says out "foreign keys do not count: child has 2 rows without a parent in parent"
says a/rowferry.ini "foreign_keys = off"

# A joiner that was told nothing has it as the founder, and says so once.
run 0 --store a token token
run 0 --store b init sqlite:b.db --name b --join token --create-tables --json
equal "a joiner" "$(json 'o[0]["foreign_keys"]')" None
run 0 --store c init sqlite:c.db --name c --join token --create-tables
set_line c 'foreign_keys = on'
meet a b
says err "foreign keys do not count here, since they do not at a"
equal "rows" "$(children b)" "1,2,3"
meet b
equal "said once" "$(cat err)" ""
run 0 --store b status
says out "foreign keys do not count"
says_not out "different rows"
run 0 --store b log --origin b --json
equal "definitions" "$(json '[e["count"] for e in o if e["kind"] == "tables"]')" "[2]"

# What a node's owner says goes before it; the others and itself say who has it otherwise.
meet c
says err "foreign keys count here and not at a (table child)"
equal "rows of c" "$(children c)" 1
run 0 --store c diff
says out "2 parked"
meet a
says err "foreign keys count at c and not here (table child)"
meet a
equal "said once" "$(cat err)" ""
run 0 --store a status
says out "but do at c (table child)"
run 0 --store a status --json
equal "elsewhere" "$(json 'o[0]["foreign_keys"], [(e["name"], e["table"]) for e in o[0]["foreign_keys_elsewhere"]]')" "(False, [('c', 'child')])"
meet b c a b c

# Turned on, rows that were shown all along are parked, own ones too.
set_line a 'foreign_keys = on'
set_line b 'foreign_keys = on'
run 0 --store b diff
says out "2 rows that the next apply parks or releases"
run 0 --store b apply
says out "parked 2"
equal "rows of b" "$(children b)" 1
meet a b c a b c
for node in a b c; do
    equal "rows of $node" "$(children $node)" 1
    run 0 --store $node diff
    says out "2 parked"
    run 0 --store $node status
    says_not out "foreign keys"
done
run 0 --store a verify

# Turned off, they come back.
for node in a b c; do set_line $node 'foreign_keys = off'; done
meet a b c a b c
equal "said" "$(cat err)" ""
for node in a b c; do
    equal "rows of $node" "$(children $node)" "1,2,3"
    run 0 --store $node diff
    says out "0 missing, 0 extra, 0 changed"
done
sed -i '/foreign_keys = /d' b/rowferry.ini
run 0 --store b status
says out "foreign keys do not count"

# Tables that are not replicated and refer to one that is: nobody cleans up in them, so they
# are named, and what is left without a parent is counted.
rm -rf ./* && mkdir folder
sqlite3 a.db 'CREATE TABLE item (id INTEGER PRIMARY KEY, code TEXT UNIQUE);
    INSERT INTO item VALUES (1, "a"), (2, "b"), (3, "c"), (4, "d")'
run 0 --store a init sqlite:a.db --name a
says_not out "refers to"
run 0 --store a token token
sqlite3 b.db 'CREATE TABLE item (id INTEGER PRIMARY KEY, code TEXT UNIQUE);
    CREATE TABLE note (text, item REFERENCES item ON DELETE CASCADE);
    CREATE TABLE tag (id INTEGER PRIMARY KEY, item TEXT REFERENCES item (code))'
run 0 --store b init sqlite:b.db --name b --join token --tables item --check --json
equal "outsiders" "$(json '[(e["table"], e["parent"]) for e in o[0]["outsiders"]]')" "[('note', 'item'), ('tag', 'item')]"
run 0 --store b init sqlite:b.db --name b --join token --tables item
says out "note refers to item and is not replicated: its rows are left without a parent"
meet a b
sqlite3 b.db "INSERT INTO note VALUES ('x', 1), ('y', 1), ('z', 3), ('w', NULL), ('v', 99);
    INSERT INTO tag VALUES (1, 'b'), (2, 'd')"
sqlite3 a.db "DELETE FROM item WHERE id = 1; UPDATE item SET code = 'B' WHERE id = 2"
meet a b
says out "left 3 rows without a parent, in tables that are not replicated"
equal "untouched" "$(sqlite3 b.db 'SELECT count(*) FROM note')" 5
sqlite3 a.db "DELETE FROM item WHERE id = 3"
meet a
sqlite3 a.db "INSERT INTO item VALUES (3, 'c')"
meet a b
says_not out "without a parent"
sqlite3 a.db "DELETE FROM item WHERE id = 3"
meet a
run 0 --store b sync folder --json
equal "counted" "$(json 'o[0]["applied"]["orphaned"]')" 1
sqlite3 a.db "INSERT INTO item VALUES (5, 'e')"
meet a b
says_not out "without a parent"

# What is not replicated holds nothing up: tables that only their application can read count
# no rows. A row with several keys is counted once, and its table named once.
rm -rf ./* && mkdir folder
sqlite3 a.db 'CREATE TABLE p (id INTEGER PRIMARY KEY, v TEXT UNIQUE);
    INSERT INTO p VALUES (1, "a"), (2, "b"), (3, "c")'
run 0 --store a init sqlite:a.db --name a
run 0 --store a token token
python3 - <<'PYTHON'
import sqlite3
database = sqlite3.connect("b.db")
database.create_collation("mycoll", lambda a, b: (a > b) - (a < b))
database.create_function("myf", 1, lambda y: y, deterministic=True)
database.executescript("""
CREATE TABLE p (id INTEGER PRIMARY KEY, v TEXT UNIQUE);
CREATE TABLE c (id INTEGER PRIMARY KEY, x TEXT COLLATE mycoll REFERENCES p (v));
CREATE TABLE o (x AS (myf(y)) REFERENCES p (id), y);
CREATE TABLE nowhere (x REFERENCES p (nil));
CREATE TABLE twice (one REFERENCES p, two REFERENCES p, three TEXT REFERENCES p (v));
INSERT INTO c VALUES (1, 'a');
INSERT INTO o (y) VALUES (1);
""")
database.close()
PYTHON
run 0 --store b init sqlite:b.db --name b --join token --tables p --check --json
equal "once" "$(json 'sum(e["table"] == "twice" for e in o[0]["outsiders"])')" 1
run 0 --store b init sqlite:b.db --name b --join token --tables p
equal "once" "$(grep -c '^twice refers' out)" 1
meet a b
sqlite3 b.db "INSERT INTO twice VALUES (1, 1, 'a'), (1, 2, NULL), (2, 1, 'c'), (3, 3, 'c')"
sqlite3 a.db "DELETE FROM p WHERE id < 3"
meet a
run 0 --store b sync folder
says out "left 3 rows without a parent, in tables that are not replicated"
equal "applied" "$(sqlite3 b.db 'SELECT group_concat(id) FROM p')" 3
