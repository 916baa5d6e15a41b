#!/usr/bin/env bash
# A value for a column that this database lacks waits, whatever else happens, and comes
# in when the column does.
. "$(dirname "$0")/cli.sh"

sync() { for node; do run 0 --store "$node" sync folder; done; }
rows() { sqlite3 "$1.db" 'SELECT * FROM p ORDER BY 1' | tr '\n' ' '; }

# pair: nodes a and b with two equal rows in one new folder.
pair() {
    rm -rf a b c ./*.db folder
    mkdir folder
    sqlite3 a.db 'CREATE TABLE p (id INTEGER PRIMARY KEY, v); INSERT INTO p VALUES (1, 1), (2, 2)'
    run 0 --store a init sqlite:a.db --name a
    run 0 --store a token token
    run 0 --store a sync folder
    run 0 --store b init sqlite:b.db --name b --join token --create-tables
    sync b a b
}

# waits NODE COUNT: so many rows are quarantined, and nothing else differs.
waits() {
    run 0 --store "$1" diff
    if [ "$2" -gt 0 ]; then says out "$2 quarantined"; else says_not out "quarantined"; fi
}

# How many entries a log holds.
entries() { "$ROWFERRY" --store "$1" log --json | wc -l; }

# A resync refuses what a batch refuses.
pair
sqlite3 a.db 'ALTER TABLE p ADD COLUMN extra; UPDATE p SET extra = 5 WHERE id = 1'
sync a b
waits b 1
run 0 --store b resync
waits b 1
equal "kept" "$(rows b)" "1|1 2|2 "
sqlite3 b.db 'ALTER TABLE p ADD COLUMN extra'
sync b a b
equal "b" "$(rows b)" "1|1|5 2|2| "
equal "a" "$(rows a)" "1|1|5 2|2| "
waits b 0

# Of a database from a backup, too: what it has stays, and is no write of this node.
pair
cp b.db older.db
sqlite3 a.db 'UPDATE p SET v = v + 10'
sync a b
cp b.db newer.db
sqlite3 a.db 'ALTER TABLE p ADD COLUMN extra; UPDATE p SET v = 21, extra = 5 WHERE id = 1'
sync a b
cp older.db b.db
run 0 --store b resync
equal "the winner that has no such value is written" "$(rows b)" "1|1 2|12 "
waits b 1
sync b a
equal "a" "$(rows a)" "1|21|5 2|12| "
sqlite3 b.db 'ALTER TABLE p ADD COLUMN extra'
sync b a b
equal "b" "$(rows b)" "1|21|5 2|12| "
equal "a" "$(rows a)" "1|21|5 2|12| "

# And of one from before the column came, when all nodes had it.
pair
cp b.db older.db
for node in a b; do
    sqlite3 $node.db 'ALTER TABLE p ADD COLUMN extra'
    sync $node
done
sqlite3 a.db 'UPDATE p SET extra = 5 WHERE id = 1; UPDATE p SET v = 22, extra = 6 WHERE id = 2'
sync a b
cp older.db b.db
run 0 --store b resync
equal "kept" "$(rows b)" "1|1 2|2 "
waits b 2
sync b a
equal "a" "$(rows a)" "1|1|5 2|22|6 "
sqlite3 b.db 'ALTER TABLE p ADD COLUMN extra'
sync b a b
equal "b" "$(rows b)" "1|1|5 2|22|6 "
equal "a" "$(rows a)" "1|1|5 2|22|6 "
waits b 0

# So does who joins with rows of its own.
pair
sqlite3 a.db 'ALTER TABLE p ADD COLUMN extra; UPDATE p SET extra = 5 WHERE id = 1'
run 0 --store a sync folder
sqlite3 c.db 'CREATE TABLE p (id INTEGER PRIMARY KEY, v); INSERT INTO p VALUES (1, 1), (2, 2)'
run 0 --store c init sqlite:c.db --name c --join token
sync c a
waits c 1
equal "a" "$(rows a)" "1|1|5 2|2| "
sqlite3 c.db 'ALTER TABLE p ADD COLUMN extra'
sync c a c
equal "c" "$(rows c)" "1|1|5 2|2| "
equal "a" "$(rows a)" "1|1|5 2|2| "
waits c 0

# A column that one side has first: what a winner from the other said nothing of stays,
# and is told when the other has the column too.
pair
sqlite3 a.db 'ALTER TABLE p ADD COLUMN extra; UPDATE p SET extra = 5 WHERE id = 1'
run 0 --store a capture
sqlite3 b.db 'UPDATE p SET v = 9 WHERE id = 1'
sync b a b
equal "a keeps its column" "$(rows a)" "1|9|5 2|2| "
before=$(entries a)
sync a b a
equal "nobody else has it: nothing is told" "$(entries a)" "$before"
sqlite3 b.db 'ALTER TABLE p ADD COLUMN extra'
sync b a b
equal "a" "$(rows a)" "1|9|5 2|2| "
equal "b" "$(rows b)" "1|9|5 2|2| "
waits a 0
waits b 0
run 0 --store b history p 1
says out "extra"
before=$(entries b)
sync a b a b
equal "told once" "$(entries b)" "$before"
