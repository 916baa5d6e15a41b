#!/usr/bin/env bash
# The token and the keys are secrets: for their owner, and never for a screen.
. "$(dirname "$0")/cli.sh"

sqlite3 a.db 'CREATE TABLE t (k INTEGER PRIMARY KEY)'
run 0 init sqlite:a.db
umask 022
run 0 token file
says_not out "$(cat file)"
equal "mode" "$(stat -c %a file)" 600
run 0 token
equal "the pipe" "$(cat out)" "$(cat file)"
run 0 token -
equal "the pipe" "$(cat out)" "$(cat file)"
run 0 token --json
equal "JSON" "$(json 'o[0]["token"]')" "$(cat file)"
chmod 644 file
run 0 token file
equal "mode of one that was there" "$(stat -c %a file)" 600
run 3 token nowhere/file
for key in node.key fleet.key data.mdb; do
    equal "mode of $key" "$(stat -c %a ".rowferry/$key")" 600
done

if command -v script >/dev/null; then
    code=0
    script -qec "'$ROWFERRY' token" /dev/null >typed || code=$?
    equal "exit code on a terminal" "$code" 2
    if grep -qF "$(cat file)" typed; then fail "the token was shown on a terminal"; fi
    script -qec "'$ROWFERRY' export -" /dev/null >typed || code=$?
    equal "exit code on a terminal" "$code" 2
fi
