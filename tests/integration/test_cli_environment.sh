#!/usr/bin/env bash
# What the machine does to a node: one line, the right exit code, everything as it was, and
# the same command succeeds when it is over.
. "$(dirname "$0")/cli.sh"

sqlite3 a.db 'CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, "one")'
run 0 init sqlite:a.db --name a
sed -i 's/^lock_wait = .*/lock_wait = 0/' .rowferry/rowferry.ini
mkdir folder
run 0 sync folder
sqlite3 a.db 'INSERT INTO t VALUES (2, "two")'
before=$(print_of a.db .rowferry folder)

# The database is gone, or is none.
mv a.db away.db
run 3 sync folder
says err "a.db: no such file: bring the database back"
says err ".rowferry/rowferry.ini"
run 3 capture
run 3 diff
run 3 diff sqlite:b.db
says err "b.db: No such file or directory: check its name"
run 3 --store b init sqlite:b.db
says err "b.db: no such file: give its right path"
run 3 --store b init sqlite:away.db --join no-token
says err "no-token: No such file or directory: check its name"
run 0 log
run 0 status
printf 'this is no database, and it is long enough to be sure of that' >a.db
run 3 sync folder
mv away.db a.db

# It is locked.
mkfifo hold
sqlite3 a.db <hold >locked &
exec 9>hold
printf "BEGIN EXCLUSIVE; SELECT 'locked';\n" >&9
until [ -s locked ]; do read -r -t 0.01 <> <(:) || true; done
# Each command has a store of its own and waits beside the others.
commands=(capture diff apply "sync folder" "init sqlite:a.db")
for i in "${!commands[@]}"; do
    store=store$i
    [ "$i" = 4 ] || cp -r .rowferry $store
    # shellcheck disable=SC2086
    (code=0; "$ROWFERRY" --store $store ${commands[$i]} >/dev/null 2>locked$i || code=$?; exit $code) &
    waiting[i]=$!
done
for i in "${!commands[@]}"; do
    code=0
    wait "${waiting[$i]}" || code=$?
    equal "exit code of ${commands[$i]}" "$code" 3
    equal "lines of ${commands[$i]}" "$(wc -l <locked$i)" 1
    says locked$i "a.db: locked by another process; try again when it is done"
    says_not locked$i "PRAGMA"
    rm -rf store$i locked$i
done
exec 9>&-
wait

# The store is in use, is of a newer format, or has a line that is not understood.
exec 8>>.rowferry/capture.lock
flock -x 8
run 1 sync folder
says err "in use"
exec 8>&-
cp .rowferry/rowferry.ini kept.ini
printf 'colour = blue\n' >>.rowferry/rowferry.ini
run 3 sync folder
says err "colour"
cp kept.ini .rowferry/rowferry.ini

# The folder is missing, or is a file, or can not be written.
run 3 sync nowhere
run 3 sync a.db
says err "import"
run 2 sync ssh://host/store
says err "directory"

equal "everything" "$(print_of a.db .rowferry folder)" "$before"
run 0 sync folder
says out "sent 1 entry (1 change"

# Nobody reads standard output, or there is no room for it.
"$ROWFERRY" log --json | head -n 1 >/dev/null
if [ -w /dev/full ]; then
    code=0
    "$ROWFERRY" log >/dev/full 2>err || code=$?
    equal "exit code of a full output" "$code" 3
    says err "standard output"
fi

# The database is yesterday's copy: everything stops until resync says which is right.
cp a.db copy.db
sqlite3 a.db 'INSERT INTO t VALUES (3, "three"); UPDATE t SET v = "ONE" WHERE k = 1'
run 0 sync folder
for prefer in log database; do
    cp copy.db a.db
    run 1 capture
    says err "resync"
    run 1 sync folder
    run 1 apply
    run 0 resync --prefer $prefer --json
    equal "prefer" "$(json 'o[0]["prefer"]')" $prefer
    run 0 diff
    run 0 verify
    run 0 sync folder
    run 0 diff
    case $prefer in
    log) equal "rows" "$(sqlite3 a.db 'SELECT v FROM t ORDER BY k' | tr '\n' ' ')" "ONE two three " ;;
    database) equal "rows" "$(sqlite3 a.db 'SELECT v FROM t ORDER BY k' | tr '\n' ' ')" "one two " ;;
    esac
    run 0 resync
    run 0 diff
done
run 0 history t 3 --json
equal "the last of it" "$(json 'o[-1]["op"]')" delete
