#!/usr/bin/env bash
# schema: the fleet's tables as statements of either engine, and what is lost on the way.
set -euo pipefail
. "$(dirname "$0")/cli.sh"

sqlite3 a.db "CREATE TABLE place (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
              CREATE TABLE item (id INTEGER PRIMARY KEY, place REFERENCES place, v);
              INSERT INTO item VALUES (1, NULL, 'text; with -- marks')"
run 0 --store a init sqlite:a.db --name a

# Its own dialect is the database's own text.
run 0 --store a schema --for sqlite
cp out made.sql
sqlite3 again.db <made.sql
equal "columns" "$(sqlite3 again.db "SELECT name, type FROM pragma_table_info('item')")" \
    "$(sqlite3 a.db "SELECT name, type FROM pragma_table_info('item')")"
says_not out "-- "

run 0 --store a schema --for postgres
says out "-- item.v: has no type in SQLite and is text in Postgres"
says out 'CREATE TABLE public."place" ('
says out 'ALTER TABLE public."item" ADD FOREIGN KEY ("place") REFERENCES public."place" ("id");'
equal "the last statement is the foreign key" "$(tail -n 1 out | cut -d ' ' -f 1)" ALTER

run 0 --store a schema --for postgres place
says_not out item
run 0 --store a schema --for postgres --json
json 'o[0]["for"] == "postgres" and "public" in o[0]["tables"] and "ALTER" in o[0]["links"] and len(o[0]["notes"]) == 4 or exit(1)'
run 1 --store a schema --for postgres nothing
says err "the fleet has no table nothing"
