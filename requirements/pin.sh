#!/bin/sh
# Writes the pinned, hashed requirement files. Usage: sh requirements/pin.sh path/to/uv
set -eu
uv=$1
pin() {
    out=$1
    shift
    "$uv" pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-header --no-annotate --output-file "$out" "$@"
}
pin requirements/dev.txt --extra dev
pin requirements/demo.txt --extra demo
pin requirements/edge.txt --extra edge --extra pi
pin requirements/hub.txt --extra hub --extra postgres
if grep -n '://' requirements/*.txt; then
    echo "a pinned file names an address; remove it" >&2
    exit 1
fi
