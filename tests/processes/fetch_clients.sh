#!/bin/sh
# Make a virtual environment for each published client of the Archiver Appliance in CACHE/clients, with the client as it is on PyPI.
# usage: fetch_clients.sh CACHE PYTHON
# Exit status 0 in any case: where a client cannot be had, the tests that need it say so.
set -u
cache=${1:?usage: fetch_clients.sh CACHE PYTHON}
python=${2:?usage: fetch_clients.sh CACHE PYTHON}
mkdir -p "$cache/clients"

# name, and what is installed; the versions are those that the tests know
fetch() {
    target=$cache/clients/$1
    shift
    [ -e "$target/ready" ] && return
    rm -rf "$target"
    if "$python" -m venv "$target" >"$target.log" 2>&1 \
        && "$target/bin/python" -m pip install --quiet --disable-pip-version-check "$@" >>"$target.log" 2>&1; then
        touch "$target/ready"
    else
        echo "no client $target: see $target.log" >&2
    fi
}

fetch pyarchappl 'pyarchappl==1.0.3.post3'
fetch retrieval-client 'epicsarchiver-retrieval-client[async,sync]==1.0.1'
fetch aaclient 'aaclient==0.0.5'
fetch archapp 'archapp==1.1.0'
fetch schemathesis 'schemathesis==4.32.5'

# needs Python 3.12, which is not always in the path: pyenv keeps its interpreters beside it, and its python3.12 in the path may be
# a name that answers nothing; without one its requests are sent as they are written down in the tests
is_interpreter() {
    "$1" -c 'import sys, venv; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1
}
for newer in python3.14 python3.13 python3.12 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[2-9]*/bin/python; do
    if [ ! -e "$cache/clients/mgmt-client/ready" ] && is_interpreter "$newer"; then
        python=$newer
        fetch mgmt-client 'epicsarchiver-mgmt-client==1.1.0'
    fi
done
exit 0
