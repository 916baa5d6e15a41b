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
