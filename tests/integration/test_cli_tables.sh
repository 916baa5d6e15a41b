#!/usr/bin/env bash
# init --tables: what is left out stays in the log, and is neither written nor quarantined.
set -euo pipefail
. "$(dirname "$0")/cli.sh"

sqlite3 a.db "CREATE TABLE x (id INTEGER PRIMARY KEY, v);
              CREATE TABLE y (id INTEGER PRIMARY KEY, v);
              INSERT INTO x VALUES (1, 1); INSERT INTO y VALUES (1, 1);"
mkdir folder
run 0 --store a init sqlite:a.db --name a
run 0 --store a token token
run 0 --store b init sqlite:b.db --name b --join token --create-tables --tables x
run 0 --store a sync folder
run 0 --store b sync folder
sqlite3 a.db "UPDATE y SET v = 2; UPDATE x SET v = 2"
run 0 --store a sync folder
run 0 --store b sync folder
[ "$(sqlite3 b.db 'SELECT v FROM x')" = 2 ] || fail "the table that was named"
[ "$(sqlite3 b.db "SELECT count(*) FROM sqlite_schema WHERE name = 'y'")" = 0 ] || fail "y"
run 0 --store b status --json
[ "$(json 'o[0]["quarantined"]')" = 0 ] || fail "rows of y were quarantined"
run 0 --store b diff

# Taken in later, it brings what was left out; nothing of it was ever thought to be here.
sed -i '/^tables/d' b/rowferry.ini
sqlite3 b.db "CREATE TABLE y (id INTEGER PRIMARY KEY, v); INSERT INTO y VALUES (2, 9)"
run 0 --store b sync folder
[ "$(sqlite3 b.db 'SELECT * FROM y')" = $'1|2\n2|9' ] || fail "what was left out did not come"
run 0 --store b diff
run 0 --store a sync folder
[ "$(sqlite3 a.db 'SELECT * FROM y')" = $'1|2\n2|9' ] || fail "rows of y at a"
