#!/bin/sh
# Unpack Debian's influxd into CACHE/influxdb, without root and without installing anything.
# usage: fetch_influxd.sh CACHE
# Exit status 0 in any case: where no influxd can be had, the tests that need it say so.
set -u
cache=${1:?usage: fetch_influxd.sh CACHE}
target=$cache/influxdb
influxd=$target/usr/bin/influxd

[ -x "$influxd" ] && exit 0
command -v apt-get >/dev/null && command -v dpkg >/dev/null || exit 0

mkdir -p "$target"
cd "$target" || exit 0
if [ "$(id -u)" = 0 ]; then
    # Else apt warns that its own user may not write here.
    set -- -o APT::Sandbox::User=root
else
    set --
fi
if apt-get "$@" download influxdb >fetch.log 2>&1 || { apt-get update >>fetch.log 2>&1 && apt-get "$@" download influxdb >>fetch.log 2>&1; }; then
    dpkg -x influxdb_*.deb . >>fetch.log 2>&1 && rm -f influxdb_*.deb
fi
[ -x usr/bin/influxd ] || echo "no influxd: apt-get could not download the package influxdb, see $target/fetch.log" >&2
exit 0
