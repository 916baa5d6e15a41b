#!/usr/bin/env bash
# export and import: files and pipes, repeats, and what is not a whole segment.
. "$(dirname "$0")/cli.sh"

sqlite3 a.db 'CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, "one")'
run 0 --store a init sqlite:a.db --name a
run 0 --store a token token
run 0 --store a export whole
says out "exported 3 entries (1 change"
equal "no temporary file" "$(ls | tr '\n' ' ')" "a a.db err out token whole "
run 0 --store b init sqlite:b.db --join token --create-tables --name b

# What is not right enters nowhere.
before=$(print_of b.db b)
head -c 100 whole >short
touch empty
head -c 5000 /dev/urandom >noise
python3 - <<'END'
data = bytearray(open("whole", "rb").read())
data[len(data) // 2] ^= 1
open("flipped", "wb").write(data)
END
sqlite3 c.db 'CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT)'
run 0 --store c init sqlite:c.db --name c
run 0 --store c export foreign
for file in short empty noise flipped foreign; do
    run 1 --store b import $file
    says err $file
done
run 3 --store b import nowhere
run 2 --store b import .
equal "store and database" "$(print_of b.db b)" "$before"

# Joining by a file: import, then apply.
run 0 --store b import whole
says out "received 3 entries (1 change)"
run 0 --store b apply --json
equal "rows" "$(json 'o[0]["rows"]')" 1
equal "row" "$(sqlite3 b.db 'SELECT v FROM t')" one
run 0 --store b diff

# A repeat changes nothing, by whatever road.
before=$(print_of b.db b)
run 0 --store b import whole whole
says out "received 0 entries"
"$ROWFERRY" --store b import - <whole >out
says out "received 0 entries"
# shellcheck disable=SC2002 # a pipe is what is tried
cat whole | "$ROWFERRY" --store b import - >out
says out "received 0 entries"
run 0 --store b import - # of nothing at all
equal "store and database" "$(print_of b.db b)" "$before"

# Only what the other lacks, both ways through pipes.
sqlite3 a.db 'INSERT INTO t VALUES (2, "two")'
sqlite3 b.db 'INSERT INTO t VALUES (3, "three")'
run 0 --store a capture
run 0 --store b capture
"$ROWFERRY" --store b export - --since a 2>err | "$ROWFERRY" --store a import - >out
says out "(1 change)"
"$ROWFERRY" --store a export - --since b 2>err | "$ROWFERRY" --store b import - >out
says out "received 1 entry (1 change)"
run 0 --store a apply
run 0 --store b apply
for name in a b; do
    equal "rows of $name" "$(sqlite3 $name.db 'SELECT k FROM t ORDER BY k' | tr '\n' ' ')" "1 2 3 "
    run 0 --store $name diff
    run 0 --store $name verify
done
run 0 --store a export late --since b
run 0 --store a export later --since 3 --json
equal "entries" "$(json 'o[0]["entries"] >= 2')" True
run 0 --store a status --json
run 0 --store a export none --since "$(json 'o[0]["last_seq"]')"
says out "nothing is new"
[ ! -e none ] || fail "a segment of nothing"
run 1 --store a export x --since nobody
run 2 --store a export .
run 3 --store a export nowhere/x

# A segment of the future is named as such.
python3 - <<'END'
data = bytearray(open("whole", "rb").read())
for offset in range(4, 8):
    if data[offset] == 1:
        data[offset] = 2
open("future", "wb").write(data)
END
run 1 --store b import future
