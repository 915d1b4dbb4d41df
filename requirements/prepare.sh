#!/bin/sh
# Makes the virtual environment of the Makefile. Usage: sh requirements/prepare.sh .venv requirements/dev.txt
# Installs exactly what the file pins; asks Debian only for what Python itself lacks.
set -eu
venv=$1
pinned=$2
python=${PYTHON:-python3}

debian() { # debian PACKAGE...: install when root or sudo without a password allows; a clear word otherwise
    if [ "$(id -u)" = 0 ]; then as=""; elif sudo -n true 2>/dev/null; then as="sudo"; else
        echo "Please install: $* (no right to do it here)" >&2
        return 1
    fi
    $as apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive $as apt-get install -y -q --no-install-recommends "$@" >/dev/null
}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
    echo "telecentre needs Python 3.11 or newer (found: $("$python" --version 2>&1))" >&2
    exit 1
}
if [ ! -x "$venv/bin/pip" ]; then
    rm -rf "$venv"
    "$python" -m venv "$venv" 2>/dev/null || { rm -rf "$venv"; debian python3-venv; "$python" -m venv "$venv"; }
fi
command -v stty >/dev/null || debian coreutils
echo "Installing the packages of $pinned into $venv (once)..."
"$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --no-deps -r "$pinned"
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
