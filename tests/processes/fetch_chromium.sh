#!/bin/sh
# Unpack Debian's chromium, and the libraries that this machine lacks, into CACHE/chromium, without root and without installing anything.
# usage: fetch_chromium.sh CACHE
# Exit status 0 in any case: where no chromium can be had, the tests that need it say so.
set -u
cache=${1:?usage: fetch_chromium.sh CACHE}
target=$cache/chromium

[ -e "$target/complete" ] && exit 0
command -v chromium-headless-shell >/dev/null && exit 0
command -v apt-get >/dev/null && command -v dpkg >/dev/null || exit 0

mkdir -p "$target"
cd "$target" || exit 0
if [ "$(id -u)" = 0 ]; then
    # Else apt warns that its own user may not write here.
    set -- -o APT::Sandbox::User=root
else
    set --
fi

# Exact versions, as apt would install them here, since an older version of a package may be on this machine.
wanted() {
    apt-get -s --no-install-recommends install chromium-headless-shell fonts-dejavu-core 2>>fetch.log |
        sed -nE 's/^Inst ([^ ]+) (\[[^]]*\] )?\(([^ ]+) .*/\1=\3/p'
}

: >fetch.log
packages=$(wanted)
if [ -z "$packages" ] || ! apt-get "$@" download $packages >>fetch.log 2>&1; then
    apt-get "$@" update >>fetch.log 2>&1
    packages=$(wanted)
    [ -n "$packages" ] && apt-get "$@" download $packages >>fetch.log 2>&1
fi
for package in ./*.deb; do
    [ -e "$package" ] && dpkg -x "$package" . >>fetch.log 2>&1 && rm -f "$package"
done
if [ -x usr/lib/chromium/chromium-headless-shell ]; then
    : >complete
else
    echo "no chromium: apt-get could not download the package chromium-headless-shell, see $target/fetch.log" >&2
fi
exit 0
