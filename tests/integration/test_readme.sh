#!/usr/bin/env bash
# The README's tour works as it is written: its commands are run one after another.
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
mkdir "$place/bin"
ln -s "$ROWFERRY" "$place/bin/rowferry"
PATH=$place/bin:$PATH
cd "$place"

# The indented lines of the section are its commands.
awk '/^## A tour/ { on = 1; next } /^## / { on = 0 } on && /^    / { print substr($0, 5) }' \
    "$ROWFERRY_SOURCE/README.md" >tour
[ "$(grep -c rowferry tour)" -ge 12 ] || { echo "the tour has lost its commands"; exit 1; }
bash -euo pipefail tour >said 2>&1 || { cat said; exit 1; }

expect() { grep -q -- "$1" said || { cat said; echo "the tour does not show: $1"; exit 1; }; }
expect "0 missing, 0 extra, 0 changed"
expect "item (1)"
expect "all is right"
for database in shop.db stall.db; do
    sqlite3 "$database" "SELECT * FROM item ORDER BY id" >"$database.rows"
done
cmp shop.db.rows stall.db.rows
[ "$(wc -l <shop.db.rows)" -eq 2 ] # the pear is gone, the plum is there
