# Sourced by test_cli_*.sh: a folder of its own, removed at the end, and what a promise is
# checked with. $ROWFERRY is the binary.
set -euo pipefail

: "${ROWFERRY:?the binary}"
base=/tmp
[ ! -w /dev/shm ] || base=/dev/shm # fsync costs nothing there
folder=$(mktemp -d "$base/rowferry-cli-XXXXXX")
trap 'rm -rf "$folder"' EXIT
cd "$folder"
unset ROWFERRY_STORE

fail() {
    printf 'line %s: %s\n' "${BASH_LINENO[1]}" "$1" >&2
    if [ -s out ]; then sed 's/^/  out: /' out >&2; fi
    if [ -s err ]; then sed 's/^/  err: /' err >&2; fi
    exit 1
}

# run CODE WORD...: rowferry exits so; its output is in the files out and err. What fails
# says why in one line.
run() {
    local expected=$1 code=0
    shift
    "$ROWFERRY" "$@" >out 2>err </dev/null || code=$?
    [ "$code" -eq "$expected" ] || fail "rowferry $*: exit $code, not $expected"
    if [ "$code" -eq 1 ] || [ "$code" -eq 2 ] || [ "$code" -eq 3 ]; then
        [ "$(wc -l <err)" -eq 1 ] || fail "rowferry $*: not one line of reason"
    fi
}

# says FILE TEXT, says_not FILE TEXT: out or err has it somewhere.
says() {
    grep -qF -- "$2" "$1" || fail "$1 does not say: $2"
}
says_not() {
    if grep -qF -- "$2" "$1"; then fail "$1 says: $2"; fi
}

# equal WHAT FOUND EXPECTED
equal() {
    [ "$2" = "$3" ] || fail "$1: found '$2', not '$3'"
}

# json EXPRESSION: of the objects in out, one a line, as the Python list o.
json() {
    python3 -c 'import json, sys
o = [json.loads(line) for line in open("out", encoding="utf-8")]
print(eval(sys.argv[1]))' "$1" || fail "not JSON: $1"
}

# What is in a folder or file, to see that it did not change.
print_of() {
    find "$@" -type f ! -name lock.mdb ! -name '*.lock' -exec sha256sum {} + | LC_ALL=C sort
}
