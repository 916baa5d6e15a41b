#!/usr/bin/env bash
# init makes a node or leaves everything as it was.
. "$(dirname "$0")/cli.sh"

sqlite3 a.db 'CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT);
    INSERT INTO person VALUES (1, "Ann"), (2, "Bob");
    CREATE TABLE notes (text TEXT);'
before=$(print_of a.db)

# What is refused changes nothing.
run 3 init sqlite:missing.db
says err "no such file"
run 3 init sqlite:nowhere/a.db
run 3 --store nowhere/store init sqlite:a.db
run 2 init sqlite:a.db --name "$(printf 'two\nlines')"
run 1 init sqlite:a.db --tables person,cities
says err "cities"
mkdir full && touch full/file
run 1 --store full init sqlite:a.db
says err "full"
echo "not a token" >bad-token
run 1 init sqlite:a.db --join bad-token
says err "bad-token"
run 3 init sqlite:a.db --join no-token
echo "this is no database, and it is long enough to be sure of that" >text.db
run 3 init sqlite:text.db
run 0 init sqlite:a.db --check --json
equal "node of a check" "$(json 'o[0]["node"]')" None
equal "tables" "$(json 'o[0]["tables"], o[0]["rows"], o[0]["skipped"][0]["table"]')" \
    "(['person'], 2, 'notes')"
equal "what is here" "$(ls -A | tr '\n' ' ')" "a.db bad-token err full out text.db "
equal "the database after all that" "$(print_of a.db)" "$before"

# It makes a node.
run 0 init sqlite:a.db --name office
says out "made node office"
says out "1 table, 2 rows"
says out "notes: no primary key"
equal "mode of the store" "$(stat -c %a .rowferry)" 700
run 0 status
says out "office"
run 0 diff
run 0 verify

# Once.
after=$(print_of a.db .rowferry)
run 1 init sqlite:a.db
says err "there is a store already"
run 1 --store other init sqlite:a.db
says err "--take-over"
equal "store and database" "$(print_of a.db .rowferry)" "$after"
[ ! -e other ] || fail "a refused init left a store"
run 0 --store other init sqlite:a.db --take-over
run 1 capture
says err "--take-over"
run 0 --store other capture

# A path with what a URL or a line of rowferry.ini would stumble over.
mkdir 'a b;%20ä'
sqlite3 'a b;%20ä/it ;s.db' 'CREATE TABLE t (k TEXT PRIMARY KEY);'
run 0 --store odd init 'sqlite:a b;%20ä/it ;s.db'
run 0 --store odd capture

# Triggers that stay silent when rows arrive are named: those that write a replicated table.
rm -rf t.db t && sqlite3 t.db "CREATE TABLE a (id INTEGER PRIMARY KEY, n); CREATE TABLE seen (n);
    CREATE TRIGGER fires AFTER INSERT ON a BEGIN INSERT INTO seen VALUES (new.n); END;
    CREATE TABLE b (id INTEGER PRIMARY KEY);
    CREATE TRIGGER silent AFTER INSERT ON b BEGIN INSERT INTO a VALUES (new.id, 1); END;"
run 0 --store t init sqlite:t.db --name t --json
equal "silent triggers" "$(json 'o[0]["silent_triggers"]')" "['b']"
rm -rf n n.db
sqlite3 n.db "CREATE TABLE a (id INTEGER PRIMARY KEY, x); CREATE TABLE b (id TEXT PRIMARY KEY);
    CREATE TABLE c (id INTEGER PRIMARY KEY AUTOINCREMENT); CREATE TABLE d (x, id INTEGER PRIMARY KEY);
    CREATE TABLE e (id INTEGER, x, PRIMARY KEY (id, x)); CREATE TABLE g (id INT PRIMARY KEY);
    CREATE TABLE f (id INTEGER PRIMARY KEY) WITHOUT ROWID;"
printf '[table d]\ndirection = in\n[table nowhere]\ndirection = in\n' > n.settings
run 0 --store n init sqlite:n.db --check --settings n.settings
says out "tables that number their rows"
says err "[table nowhere]: the database has no such table"
run 0 --json --store n init sqlite:n.db --check --settings n.settings
equal "tables that number their rows" "$(json 'o[0]["numbers_rows"]')" "['a', 'c']"
