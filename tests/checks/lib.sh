# Sourced by the checks: where the source is, and how each one ends.
set -euo pipefail

folders="cli node capture apply ship engine log tests"

# sources ROOT PATTERN...: the files of the project with such a name, relative to ROOT.
sources() {
    local root=$1 pattern tests=()
    shift
    for pattern in "$@"; do tests+=(-o -name "$pattern"); done
    # shellcheck disable=SC2086 # folders are words
    (cd "$root" && find $folders -type f \( "${tests[@]:1}" \) 2>/dev/null | LC_ALL=C sort)
}
