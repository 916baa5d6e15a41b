#!/usr/bin/env bash
# Wrong usage: exit 2, one line that says what and where to read on. --help of everything.
. "$(dirname "$0")/cli.sh"

commands="init token sync run capture apply export import status log history blame conflicts
    quarantine peers diff verify resync schema"

run 0 --help
[ "$(wc -L <out)" -le 80 ] || fail "--help: a line over 80 columns"
for command in $commands; do says out "  $command "; done
run 0 --version
says out "rowferry "

for command in $commands; do
    run 0 "$command" --help
    says out "usage: rowferry $command"
    says out "--store DIR"
    says out "--json"
    [ "$(wc -L <out)" -le 80 ] || fail "$command --help: a line over 80 columns"
    run 2 "$command" --no-such-option
    says err "rowferry $command: unknown option --no-such-option"
    says err "rowferry $command --help"
done

run 2
run 2 no-such-command
says err "unknown command no-such-command"
run 2 --no-such-option status
run 2 --once run
says err "options of a command stand after it: --once"
run 0 help sync
says out "usage: rowferry sync"
run 2 --store
run 2 init
says err "needs DATABASE"
run 2 init sqlite:a.db b
run 2 init a.db
says err "sqlite:a.db"
run 2 init dir/a.db
says err "sqlite:dir/a.db"
run 2 init mysql://host/a
run 3 init "postgresql:///a?host=$PWD/nowhere"
says err "nowhere"
run 2 init postgresql://host/a?no_such_option=1
says err "no_such_option"
run 2 init postgres://u:secret@host/a
says err "PGPASSWORD"
run 2 init sqlite:
run 2 init sqlite:a.db --create-tables
run 2 sync
run 2 sync ''
says err "TARGET is empty"
run 2 init ''
says err "DATABASE is empty"
run 2 history person
run 2 run --interval 0
says err "seconds, 1 to"
run 2 run --interval soon
run 2 run --once --interval 5
run 2 run --sync ssh://host/store
says err "not a directory"
run 2 log --since whenever
run 2 log --format xml
run 2 conflicts fix
run 2 resync --prefer both
run 2 schema
says err "sqlite or postgres"
run 2 schema --for oracle
equal "what usage left behind" "$(ls)" "$(printf 'err\nout')"

# What every command takes may stand before it, too.
python3 -c 'import sqlite3; sqlite3.connect("c.db").execute("CREATE TABLE t (a INTEGER PRIMARY KEY)")'
run 0 --json --store c.store init sqlite:c.db --name c
json 'o[0]["name"] == "c" or exit(1)'
for words in "--json --store c.store status" "--store c.store --json status" \
    "--json status --store c.store" "--store c.store status --json"; do
    # shellcheck disable=SC2086 # words
    run 0 $words
    json 'o[0]["name"] == "c" or exit(1)'
done

run 2 --store c.store token .
says err ".: a directory; name a file in it"
mkdir folder
run 3 --store c.store run --once --sync folder --sync nowhere
equal "what names the target" "$(grep -o nowhere err | wc -l)" 1
mv c.db elsewhere.db
run 3 --store c.store sync folder
says err "database = sqlite:PATH"
mv elsewhere.db c.db
echo text >text
run 3 --store d.store init sqlite:text
says err "not a SQLite database"

# Each command without a store: exit 3, and what to do.
for command in token capture apply "sync ." "run --once" "export f" "import f" status log \
    "history t 1" "blame t 1" conflicts quarantine peers diff verify resync "schema --for sqlite"; do
    # shellcheck disable=SC2086 # words
    run 3 --store nowhere $command
    says err "nowhere"
    says err "rowferry init"
done
