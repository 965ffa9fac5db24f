#!/bin/sh
# Build influxd 2.7 from its Go module into CACHE/influxd-2.7, without its web pages. Needs go, a C compiler and cargo: the server
# links flux, of which one half is Rust. Takes about 15 minutes of two cores and, meanwhile, 3 GB.
# usage: build_influxd2.sh CACHE
set -eu
cache=${1:?usage: build_influxd2.sh CACHE}
version=2.7.12
pkg_config=0.2.14
target=$cache/influxd-2.7

[ -x "$target/influxd" ] && exit 0
for tool in go cargo cc; do
    command -v $tool >/dev/null || { echo "no influxd $version: it needs $tool" >&2; exit 1; }
done

mkdir -p "$target"
target=$(cd "$target" && pwd)
work=$target/work
log=$target/build.log
trap 'status=$?; rm -rf "$work"; [ $status = 0 ] || echo "no influxd $version: see $log" >&2' EXIT

build() {
    # Its go.mod replaces a module, with which `go install module@version` does not go on; and a module in go's cache is read-only.
    source=$(go mod download -json "github.com/influxdata/influxdb/v2@v$version" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
    rm -rf "$work"
    cp -R "$source" "$work"
    chmod -R u+w "$work"
    # A cache of its own: that of go does not see where a package of C has its libraries, and would be 2 GB larger for ever.
    export GOCACHE=$work/gocache
    GOBIN=$work/bin go install "github.com/influxdata/pkg-config@v$pkg_config"
    cd "$work"
    # Their pkg-config has cargo build flux, which asks for an old compiler, and takes each new warning of a newer one for an error.
    printf '#!/bin/sh\nexec "$@" --cap-lints=warn\n' >"$work/bin/rustc"
    chmod +x "$work/bin/rustc"
    PKG_CONFIG=$work/bin/pkg-config RUSTC_WRAPPER=$work/bin/rustc RUSTUP_TOOLCHAIN=${RUSTUP_TOOLCHAIN:-stable} \
        timeout 3600 go build -p 2 -tags sqlite_foreign_keys,sqlite_json -ldflags "-s -w -X main.version=v$version" -o "$target/influxd" ./cmd/influxd
}
build >"$log" 2>&1
