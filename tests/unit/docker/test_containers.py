"""Image, Compose files, Swarm stack and Kubernetes manifests: valid for their own tools, and what they refer to is there."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from archioc.core.config.config import Config
from archioc.core.config.file import load_config
from archioc.core.config.shard_block import VARIABLES
from tests.processes.tools import missing_tool

TOP = Path(__file__).parents[3]
DOCKER = TOP / "docker"
DOCKERFILE = (DOCKER / "Dockerfile").read_text()
OVERLAYS = sorted(path.name for path in (DOCKER / "k8s/overlays").iterdir())
KUBERNETES = ("1.30.0", "1.37.0")
USER = 10001


def tool(name: str, hint: str) -> str:
    """The program, from the environment of the tests or PATH."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    return found or missing_tool(name, hint)


def run(*command: str, cwd: Path = DOCKER) -> str:
    """What a program writes; it must end with 0 and warn of nothing."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, ""), (command, done.stdout, done.stderr)
    return done.stdout


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """Compose files as Compose understands them, with all profiles."""
    program = tool("docker-compose", "it comes with the extra `lint`")
    found: dict[str, Any] = json.loads(run(program, "--env-file", ".env.example", "--profile", "all", "config", "--format", "json"))
    return found


@pytest.fixture(scope="module", params=OVERLAYS)
def manifests(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """The objects of an overlay as they are sent to the cluster."""
    return [one for one in objects_of(request.param) if "gemini" not in one["metadata"]["name"]]


def objects_of(overlay: str) -> list[dict[str, Any]]:
    text = run(tool("kubectl", "it comes with the extra `lint`"), "kustomize", f"k8s/overlays/{overlay}")
    return list(yaml.safe_load_all(text))


def one(manifests: Sequence[dict[str, Any]], kind: str, name: str = "") -> dict[str, Any]:
    (found,) = [one for one in manifests if one["kind"] == kind and name in one["metadata"]["name"]]
    return found


def container(manifests: Sequence[dict[str, Any]]) -> dict[str, Any]:
    (found,) = one(manifests, "StatefulSet")["spec"]["template"]["spec"]["containers"]
    return dict(found)


def read_site(text: str, tmp_path: Path) -> Config:
    """A configuration as the archiver reads it."""
    file = tmp_path / "site.yml"
    file.write_text(text)
    return load_config(file)


def exposed() -> set[str]:
    """Ports of the image, such as `5064/tcp`."""
    return set(re.findall(r"^EXPOSE (.*)$", DOCKERFILE, re.MULTILINE)[0].split())


# -- the image -------------------------------------------------------------------------------------


def test_the_dockerfile_is_clean() -> None:
    """The linter finds nothing."""
    run(tool("hadolint", "it comes with the extra `lint`"), "Dockerfile")


def test_the_image_does_not_run_as_root() -> None:
    """The last stage has a user of its own, told by number so that Kubernetes can check it."""
    last = DOCKERFILE.rsplit("\nFROM ", 1)[1]
    assert re.findall(r"^USER (.*)$", last, re.MULTILINE) == [f"{USER}:{USER}"]


def test_what_the_dockerfile_copies_reaches_the_build() -> None:
    """Every path that is copied from the source tree exists, and `.dockerignore` lets it through."""
    let_through = {line[1:] for line in (TOP / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {path for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE) for path in line.split()[:-1]}
    assert all((TOP / path).exists() for path in copied)
    assert copied == let_through


def test_all_packages_are_in_the_image() -> None:
    """Every package that is installed from the source tree is copied into the build, and what links in it lead to is as well."""
    project = (TOP / "pyproject.toml").read_text()
    packages = re.findall(r'"(\w+)\*"', re.findall(r"^include = \[(.*)\]$", project, re.MULTILINE)[0])
    assert packages
    assert all(f"COPY {name} {name}\n" in DOCKERFILE for name in packages)
    links = [file for name in packages for file in (TOP / name).rglob("*") if file.is_symlink()]
    assert all(f"COPY {file.resolve().relative_to(TOP)} " in DOCKERFILE for file in links)


# -- Compose and Swarm -----------------------------------------------------------------------------


def test_the_compose_files_are_a_swarm_stack_too() -> None:
    """`docker stack config` takes compose.yml and warns of nothing."""
    program = tool("docker", "install the Docker client")
    found = yaml.safe_load(run(program, "stack", "config", "-c", "compose.yml"))
    assert all("deploy" in service for service in found["services"].values())


def test_each_replica_of_the_swarm_is_a_shard() -> None:
    """`docker stack config` takes swarm-shards.yml; a slot has a number, counted as the archiver expects, and a volume of its own."""
    found = yaml.safe_load(run(tool("docker", "install the Docker client"), "stack", "config", "-c", "swarm-shards.yml"))
    service = found["services"]["archioc"]
    ((variable, first),) = [(name, first) for name, first in VARIABLES if name in service["environment"]]
    assert (service["environment"][variable], first) == ("{{.Task.Slot}}", 1)
    (state,) = [volume["source"] for volume in service["volumes"] if volume["type"] == "volume"]
    assert "{{.Task.Slot}}" in found["volumes"][state]["name"]


def test_ports_are_published_as_the_image_exposes_them(compose: dict[str, Any]) -> None:
    """The archiver's ports are those of image and configuration, reached from this machine alone unless .env says otherwise."""
    ports = compose["services"]["archioc"]["ports"]
    assert {f"{port['target']}/{port['protocol']}" for port in ports} == exposed()
    assert {port["host_ip"] for service in compose["services"].values() for port in service.get("ports", [])} == {"127.0.0.1"}


def test_the_configuration_fits_the_stack(compose: dict[str, Any], tmp_path: Path) -> None:
    """The archiver's file is valid, and names the store, the secret, the IOC and the ports of the stack."""
    site = read_site((DOCKER / "archioc.yml").read_text(), tmp_path)
    services = compose["services"]
    store = site.store.influxdb
    assert store is not None
    environment = services["influxdb"]["environment"]
    assert (store.org, store.bucket) == (environment["DOCKER_INFLUXDB_INIT_ORG"], environment["DOCKER_INFLUXDB_INIT_BUCKET"])
    assert store.url == services["grafana"]["environment"]["INFLUX_URL"] == "http://influxdb:8086"
    assert str(store.token_file) == "/run/secrets/influx-token"
    assert {f"{site.ioc.port}/tcp", f"{site.ioc.port}/udp", f"{site.http.port}/tcp"} == exposed()
    assert site.http.host == "0.0.0.0"
    assert site.ca.addr_list is not None
    assert {address.split(":")[0] for address in site.ca.addr_list} <= set(services)
    assert str(site.archiver.state_dir) in {volume["target"] for volume in services["archioc"]["volumes"]}
    assert services["archioc"]["configs"][0]["target"] == re.findall(r"ARCHIOC_CONFIG=(\S+)", DOCKERFILE)[0]


def test_every_service_is_healthy_before_the_next_starts(compose: dict[str, Any]) -> None:
    """What a service needs is healthy first, and each has a check; the archiver's is that of its image."""
    for name, service in compose["services"].items():
        for needed in service.get("depends_on", {}).values():
            assert needed["condition"] == "service_healthy"
        assert "healthcheck" in service or name == "archioc"
    assert "HEALTHCHECK" in DOCKERFILE


def test_secrets_are_files_and_nowhere_else(compose: dict[str, Any]) -> None:
    """No password or token stands in the environment, and git takes no file of them."""
    for service in compose["services"].values():
        for name, value in (service.get("environment") or {}).items():
            assert not re.search("TOKEN|PASSWORD", name) or value.startswith("/run/secrets/"), name
    paths = [secret["file"] for secret in compose["secrets"].values()]
    assert all(Path(path).parent == DOCKER / "secrets" for path in paths)
    assert {"docker/.env", "docker/secrets/"} <= set((TOP / ".gitignore").read_text().splitlines())


def test_every_variable_has_an_example() -> None:
    """`.env.example` names the variables of the Compose files and no others, each with the value that holds without it."""
    text = (DOCKER / "compose.yml").read_text() + (DOCKER / "compose.override.yml").read_text()
    used = dict(re.findall(r"(?<!\$)\$\{(\w+):-([^}]*)\}", text))
    example = dict(re.findall(r"^(\w+)=(.*)$", (DOCKER / ".env.example").read_text(), re.MULTILINE))
    assert {name: value for name, value in used.items() if name != "ARCHIOC_DEMO_IMAGE"} == example


def test_what_is_mounted_is_there(compose: dict[str, Any]) -> None:
    """Every directory that a service mounts from the source tree exists, and Grafana finds its dashboards in one."""
    mounts = {volume["target"]: Path(volume["source"]) for volume in compose["services"]["grafana"]["volumes"] if volume["type"] == "bind"}
    assert all(path.is_dir() for path in mounts.values())
    (provider,) = yaml.safe_load((TOP / "grafana/provisioning/dashboards/archioc.yaml").read_text())["providers"]
    assert mounts[provider["options"]["path"]] == TOP / "grafana/dashboards"


# -- Kubernetes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_manifests_are_valid(overlay: str, version: str, tmp_path: Path) -> None:
    """kubernetes-validate --strict takes every object of an overlay."""
    file = tmp_path / "all.yaml"
    file.write_text(run(tool("kubectl", "it comes with the extra `lint`"), "kustomize", f"k8s/overlays/{overlay}"))
    program = tool("kubernetes-validate", "it comes with the extra `lint`")
    done = subprocess.run([program, "--strict", "-k", version, str(file)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_selectors_find_the_pods(manifests: list[dict[str, Any]]) -> None:
    """Every service selects the pods, by labels that are not empty, and asks for ports that they have."""
    workload = one(manifests, "StatefulSet")
    labels = workload["spec"]["template"]["metadata"]["labels"]
    assert workload["spec"]["selector"]["matchLabels"] == labels
    ports = {port["name"]: port for port in container(manifests)["ports"]}
    services = [one for one in manifests if one["kind"] == "Service"]
    assert workload["spec"]["serviceName"] in {service["metadata"]["name"] for service in services}
    for service in services:
        selector = service["spec"]["selector"]
        assert selector
        assert selector.items() <= labels.items()
        for port in service["spec"]["ports"]:
            target = ports[port["targetPort"]]
            assert (target["containerPort"], target["protocol"]) == (port["port"], port["protocol"])


def test_ports_and_probes_are_those_of_the_archiver(manifests: list[dict[str, Any]]) -> None:
    """A container has the ports of the image, and its probes ask at one of them what the HTTP server answers."""
    pod = container(manifests)
    assert {f"{port['containerPort']}/{port['protocol'].lower()}" for port in pod["ports"]} == exposed()
    probes = {name: pod[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {name: probe["path"] for name, probe in probes.items()} == {
        "startupProbe": "/healthz",
        "livenessProbe": "/healthz",
        "readinessProbe": "/readyz",
    }
    assert {probe["port"] for probe in probes.values()} <= {port["name"] for port in pod["ports"]}
    assert '"http://127.0.0.1:17668/readyz"' in (DOCKER / "healthcheck.py").read_text()


def test_configurations_are_valid_and_at_their_place(
    manifests: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each pod finds a valid file, whose directories, secret and ports the pod has; no two pods share name or prefix."""
    workload, files = one(manifests, "StatefulSet"), one(manifests, "ConfigMap")
    pod = container(manifests)
    mounts = {mount["name"]: mount["mountPath"] for mount in pod["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in workload["spec"]["template"]["spec"]["volumes"]}
    assert volumes["site"]["configMap"]["name"] == files["metadata"]["name"]
    asked = Path(pod["args"][-1])
    assert str(asked.parent) == mounts["site"]
    assert [*files["data"]] == [asked.name]
    sites = []
    for ordinal in range(workload["spec"]["replicas"]):
        monkeypatch.setattr(socket, "gethostname", lambda name=f"{workload['metadata']['name']}-{ordinal}": name)
        sites.append(read_site(files["data"][asked.name], tmp_path))
    assert len(sites) == len({site.archiver.name for site in sites}) == len({site.archiver.prefix for site in sites})
    assert [(site.own_shard.index, site.own_shard.count) for site in sites] == [(ordinal, len(sites)) for ordinal in range(len(sites))]
    secret = volumes.get("influx")
    token = None if secret is None else Path(mounts["influx"], secret["secret"]["items"][0]["path"])
    for site in sites:
        assert str(site.archiver.state_dir) == mounts["state"]
        assert site.store.influxdb is not None
        assert site.store.influxdb.token_file == token
        assert {f"{site.ioc.port}/tcp", f"{site.ioc.port}/udp", f"{site.http.port}/tcp"} == exposed()
        assert site.ca.auto_addr_list is False
    names = set(mounts) - set(volumes)
    assert names == {claim["metadata"]["name"] for claim in workload["spec"]["volumeClaimTemplates"]}


def test_pods_have_no_more_rights_than_they_need(manifests: list[dict[str, Any]]) -> None:
    """No root, no capability, nothing to write to but its volumes, and as long to stop as the archiver takes."""
    spec = one(manifests, "StatefulSet")["spec"]["template"]["spec"]
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["runAsUser"] == USER
    rights = container(manifests)["securityContext"]
    assert rights == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    assert spec["terminationGracePeriodSeconds"] >= 40
    assert not spec["automountServiceAccountToken"]


# -- a cluster behind the archivers ----------------------------------------------------------------

ROLES = {"meta": 3, "store": 3, "sql": 2}


@pytest.fixture(scope="module")
def cluster() -> list[dict[str, Any]]:
    """The objects of the overlay `cluster`."""
    return objects_of("cluster")


@pytest.mark.parametrize("role", ROLES)
def test_each_process_of_the_cluster_is_told_where_it_is(cluster: list[dict[str, Any]], role: str) -> None:
    """A pod runs the program of its role with a file in which nothing is left open, behind a service, on a machine of its own."""
    workload = one(cluster, "StatefulSet", f"gemini-{role}")
    assert workload["spec"]["replicas"] == ROLES[role]
    spec = workload["spec"]["template"]["spec"]
    (pod,) = spec["containers"]
    (command,) = pod["args"]
    file = one(cluster, "ConfigMap", "gemini")["data"]["openGemini.conf"]
    for place, variable in re.findall(r"s/(\{\{\w+\}\})/\$(\w+)", command):
        assert place in file
        assert variable in {one["name"] for one in pod["env"]}
        file = file.replace(place, "x")
    assert "{{" not in re.sub("#.*", "", file)
    assert command.endswith(f"exec ts-{role} -config /tmp/openGemini.conf")
    service = one(cluster, "Service", f"gemini-{role}")
    assert service["metadata"]["name"] == workload["spec"]["serviceName"]
    labels = workload["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    (rule,) = spec["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert rule["labelSelector"]["matchLabels"].items() <= labels.items()
    ports = {port["name"]: port["containerPort"] for port in pod["ports"]}
    assert all(ports[port["targetPort"]] == port["port"] for port in service["spec"]["ports"])
    assert {f":{number}" for number in ports.values() if number > 8020} <= set(re.findall(r":\d+", file))
    assert spec["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["readOnlyRootFilesystem"]


def test_the_cluster_keeps_what_it_acknowledges(cluster: list[dict[str, Any]]) -> None:
    """What makes it safe is set: reads that wait for a copy, as many copies as stores, logs that are synced before the answer."""
    found = tomllib.loads(one(cluster, "ConfigMap", "gemini")["data"]["openGemini.conf"])
    assert found["common"]["ha-policy"] == "replication"
    assert found["data"]["wal"]["wal-sync-interval"] == found["data"]["raft-storage"]["raft-entry-sync-interval"] == "0s"
    site = yaml.safe_load(one(cluster, "ConfigMap", "archioc-site")["data"]["site.yml"])
    assert site["store"]["influxdb"]["replication"] == ROLES["store"]
    assert site["store"]["influxdb"]["url"] == "http://gemini-sql:8086"
    members = [f"gemini-meta-{ordinal}.gemini-meta" for ordinal in range(ROLES["meta"])]
    assert [address.split(":")[0] for address in found["common"]["meta-join"]] == members
