#!/bin/sh
# Build influxd 1.8 from its Go module into CACHE/influxd-1.8, where a Go tool chain is at hand.
# usage: build_influxd.sh CACHE
# Exit status 0 in any case: where it cannot be built, the tests that need it say so.
set -u
cache=${1:?usage: build_influxd.sh CACHE}
version=1.8.10
target=$cache/influxd-1.8

[ -x "$target/influxd" ] && exit 0
command -v go >/dev/null || exit 0

mkdir -p "$target"
target=$(cd "$target" && pwd)
GOBIN=$target timeout 900 go install -ldflags "-s -w -X main.version=$version" \
    "github.com/influxdata/influxdb/cmd/influxd@v$version" >"$target/build.log" 2>&1
[ -x "$target/influxd" ] || echo "no influxd $version: go could not build it, see $target/build.log" >&2
exit 0
