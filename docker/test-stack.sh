#!/bin/sh
# Build the images and run the stack: a write, a query and a caput in it, and an orderly stop.
# With Docker where its engine answers. Else with buildah and podman on stand-ins: the report at the end lists what was
# another than what compose.yml says. Needs root then, and Debian's packages buildah, podman, crun and debootstrap.
# usage: docker/test-stack.sh    (from the top of the sources)
# Exit status 0: it works; 1: it does not; 77: neither engine is here.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
work=${ARCHIOC_CONTAINER_WORK:-$top/.cache/containers}
influxd=$top/.cache/influxdb/usr/bin/influxd
base=docker.io/library/python:3.12-slim-bookworm

say() { echo "test-stack: $*"; }

# check EXEC...: EXEC is what runs a command in the archiver's container.
check() {
    say "wait until the archiver has archived something"
    for _ in $(seq 60); do
        "$@" archioc get SR:DCCT:CURRENT --start=-1m --format csv >"$work/samples.csv" 2>/dev/null || true
        [ "$(wc -l <"$work/samples.csv")" -gt 5 ] && break
        sleep 1
    done
    [ "$(wc -l <"$work/samples.csv")" -gt 5 ] || { say "FAILED: no samples in the store"; "$@" archioc status || true; return 1; }
    say "samples read from the store: $(($(wc -l <"$work/samples.csv") - 1))"
    "$@" caproto-put ARCH:CH:SR:DCCT:CURRENT:Rate 5 >/dev/null
    found=$("$@" caproto-get --format '{response.data[0]}' ARCH:CH:SR:DCCT:CURRENT:Rate)
    [ "$found" = 5.0 ] || { say "FAILED: a put of the rate reads back as $found"; return 1; }
    say "caput: the rate of a channel is $found"
}

with_docker() {
    cd "$top/docker"
    mkdir -p secrets
    for name in influx-token influx-password grafana-password; do
        [ -s secrets/$name ] || { od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >secrets/$name; chmod 644 secrets/$name; }
    done
    trap 'docker compose --profile all down --volumes >/dev/null 2>&1' EXIT
    docker compose --env-file .env.example --profile all up --build --wait --wait-timeout 300
    check docker compose exec -T archioc
    docker compose stop --timeout 40 archioc
    [ "$(docker compose ps --all --format '{{.ExitCode}}' archioc)" = 0 ] || { say "FAILED: the archiver did not stop in order"; return 1; }
}

prepare_podman() {
    mkdir -p "$work"
    cat >"$work/storage.conf" <<END
[storage]
driver = "overlay"
graphroot = "$work/graph"
runroot = "$work/run"
END
    cat >"$work/containers.conf" <<END
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
cgroups = "disabled"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
END
    export CONTAINERS_STORAGE_CONF="$work/storage.conf" CONTAINERS_CONF="$work/containers.conf"
    podman image exists $base && return
    say "no image can be pulled: Debian's own Python stands in for $base"
    [ -x "$work/rootfs/usr/bin/python3" ] || debootstrap --variant=minbase \
        --include=python3,python3-pip,python3-venv,python3-dev,ca-certificates,gcc,libc6-dev bookworm "$work/rootfs" >"$work/debootstrap.log"
    rm -f "$work"/rootfs/usr/lib/python3*/EXTERNALLY-MANAGED
    ln -sf /usr/bin/python3 "$work/rootfs/usr/local/bin/python3"
    tar -C "$work/rootfs" --one-file-system -c . | podman import --change 'CMD ["python3"]' - $base >/dev/null
}

build() {
    set -- "$@" -v /etc/ssl/certs/ca-certificates.crt:/etc/ssl/certs/ca-certificates.crt:ro
    [ ! -e /etc/pip.conf ] || set -- "$@" -v /etc/pip.conf:/etc/pip.conf:ro
    buildah bud --isolation chroot --network host --format docker --layers --pull-never -f "$top/docker/Dockerfile" "$@" "$top" >"$work/build.log" 2>&1 ||
        { tail -20 "$work/build.log"; say "FAILED: the image does not build"; return 1; }
}

remove_containers() {
    for name in archioc demo-ioc influxdb; do podman rm -f --time 0 $name >/dev/null 2>&1 || true; done
}

# In a network of its own, with nothing but loopback; whatever is left in it ends with this script.
inside() {
    umount -R /sys/fs/cgroup/unified 2>/dev/null || true
    ip link set lo up
    trap remove_containers EXIT
    sed -e 's/demo-ioc:5064/127.0.0.1:5066/' "$top/docker/archioc.yml" >"$work/archioc.yml"
    echo no-token-needed >"$work/influx-token"
    set -- --network host --no-healthcheck --read-only --tmpfs /tmp --cap-drop all --security-opt no-new-privileges --add-host influxdb:127.0.0.1
    mkdir -p "$work/influx"
    chmod 777 "$work/influx"
    cat >"$work/influxdb.conf" <<END
reporting-disabled = true
bind-address = "127.0.0.1:8088"
[meta]
  dir = "/data/meta"
[data]
  dir = "/data/data"
  wal-dir = "/data/wal"
[http]
  log-enabled = false
END
    podman run -d --name influxdb "$@" -v "$work/influx:/data" -v "$influxd:/usr/bin/influxd:ro" \
        -v "$work/influxdb.conf:/influxdb.conf:ro" $base influxd -config /influxdb.conf >/dev/null
    podman run -d --name demo-ioc "$@" -e EPICS_CAS_SERVER_PORT=5066 --entrypoint python3 localhost/archioc:demo \
        /opt/archioc/demo_ioc.py P=SR: >/dev/null
    podman run -d --name archioc "$@" --shm-size 256m -v archioc-state:/var/lib/archioc -v "$work/archioc.yml:/etc/archioc/site.yml:ro" \
        -v "$work/influx-token:/run/secrets/influx-token:ro" localhost/archioc:dev >/dev/null
    check podman exec archioc || { podman logs archioc 2>&1 | tail -30; return 1; }
    for _ in $(seq 60); do
        ready=no
        podman exec archioc python3 /opt/archioc/healthcheck.py 2>"$work/healthcheck.log" && ready=yes && break
        sleep 1
    done
    [ $ready = yes ] || { podman logs archioc 2>&1 | tail -30; say "FAILED: the health check of the image: $(cat "$work/healthcheck.log")"; return 1; }
    say "health check: ready"
    podman exec archioc caproto-get --format '{response.data[0]}' ARCH:Callback | grep -qi compiled || { say "FAILED: no compiled callback"; return 1; }
    say "the event callback is the compiled one"
    podman stop --time 40 archioc >/dev/null
    status=$(podman inspect --format '{{.State.ExitCode}}' archioc)
    [ "$status" = 0 ] || { say "FAILED: the archiver ended with $status"; return 1; }
    say "stopped in order"
}

with_podman() {
    prepare_podman
    say "build the images"
    build -t localhost/archioc:dev
    build --build-arg 'EXTRAS=[demo]' -t localhost/archioc:demo
    remove_containers
    podman volume rm -f archioc-state >/dev/null 2>&1 || true
    rm -rf "$work/influx"
    unshare -m -n -p --fork --kill-child --mount-proc --propagation private sh "$top/docker/test-stack.sh" --inside
    cat <<END
test-stack: substitutions
  Docker engine                 buildah and podman, containers started one by one; compose.yml itself is checked by make test
  $base   Debian bookworm with its own Python, made by debootstrap
  influxdb:2.7                  Debian's influxd 1.6 in the same base; so organisation, token and set-up are not exercised
  grafana:11.6.0                not run
  networks of their own         one network namespace with loopback alone; the demo IOC has port 5066 there
  limits of memory              not set, there are no cgroups
  HEALTHCHECK by the engine     its command is run once
END
}

if [ "${1:-}" = --inside ]; then
    export CONTAINERS_STORAGE_CONF="$work/storage.conf" CONTAINERS_CONF="$work/containers.conf"
    inside
elif docker info >/dev/null 2>&1; then
    with_docker
elif [ "$(id -u)" = 0 ] && command -v buildah >/dev/null && command -v podman >/dev/null && command -v debootstrap >/dev/null && [ -x "$influxd" ]; then
    with_podman
else
    say "no Docker engine answers, and there are not all of: root, buildah, podman, crun, debootstrap, influxd (make influxd)"
    exit 77
fi
say "passed"
