#!/usr/bin/env bash
# An init that is killed anywhere is followed by a successful one. Killed for real, at
# random moments, and once by hand at each place where its steps meet.
. "$(dirname "$0")/cli.sh"

make_database() {
    rm -rf a.db* store store.init
    sqlite3 a.db 'CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT);
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
        INSERT INTO person SELECT i, hex(randomblob(20)) FROM n;'
}

check_node() {
    run 0 --store store init sqlite:a.db --name office
    [ ! -e store.init ] || fail "the cradle is still there"
    run 0 --store store status --json
    equal "entries" "$(json 'o[0]["entries"], o[0]["name"]')" "(3, 'office')"
    run 0 --store store verify
    run 0 --store store diff
    run 0 --store store capture --json
    equal "captured" "$(json 'o[0]["changes"]')" 0
    run 1 --store store init sqlite:a.db --name office
}

# By hand: the rename is done, the cradle not yet removed.
make_database
run 0 --store store init sqlite:a.db --name office
run 0 --store store status --json
id=$(json 'o[0]["node"]')
mkdir store.init && printf %s "$id" >store.init/id
check_node

# By hand: rowferry_state is written, the rename is not done.
make_database
run 0 --store store init sqlite:a.db --name office
run 0 --store store status --json
id=$(json 'o[0]["node"]')
mkdir store.init && printf %s "$id" >store.init/id && mv store store.init/store
check_node

# Waiting for the database's writer lock, with all but rowferry_state done; once with a
# rowferry_state of an init that had died before.
for before in nobody dead; do
    make_database
    if [ $before = dead ]; then
        run 0 --store store init sqlite:a.db --name office
        run 0 --store store status --json
        id=$(json 'o[0]["node"]')
        mkdir store.init && printf %s "$id" >store.init/id && mv store store.init/store
    fi
    rm -f hold && mkfifo hold
    sqlite3 a.db <hold >locked &
    exec 9>hold
    printf "BEGIN IMMEDIATE; SELECT 'locked';\n" >&9
    until [ -s locked ]; do sleep 0.01; done
    "$ROWFERRY" --store store init sqlite:a.db --name office >out 2>err 9>&- &
    maker=$!
    until [ -s store.init/store/apply.lock ]; do sleep 0.01; done
    sleep 0.3 # it has what it can have; an earlier death is as good
    kill -9 $maker
    exec 9>&-
    wait
    [ ! -e store ] || fail "a store without its rowferry_state"
    check_node
done

# For real. The first one finds how long it takes.
make_database
start=$(date +%s%N)
run 0 --store store init sqlite:a.db --name office
whole_us=$((($(date +%s%N) - start) / 1000))

# A sleep is what decides where it dies; the promise holds wherever that is.
killed=0 rounds=0
while [ "$killed" -lt 10 ] && [ "$rounds" -lt 40 ]; do
    make_database
    "$ROWFERRY" --store store init sqlite:a.db --name office >out 2>err &
    sleep "$(printf '0.%06d' $((whole_us * (rounds % 10 + 2) / 12 % 1000000)))"
    kill -9 $! 2>/dev/null || true
    code=0
    wait $! 2>/dev/null || code=$?
    rounds=$((rounds + 1))
    if [ "$code" -ne 137 ]; then continue; fi
    if [ -e store ] && [ ! -e store.init ]; then continue; fi # it was done
    killed=$((killed + 1))
    check_node
done
printf '%s killed\n' "$killed"
[ "$killed" -eq 10 ] || fail "too few were killed to say anything"
