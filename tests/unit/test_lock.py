"""The lock in requirements/, which `make lock` writes and `make demo`, `make test` and the image read, is in step with pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

TOP = Path(__file__).parents[2]
PYPROJECT: dict[str, Any] = tomllib.loads((TOP / "pyproject.toml").read_text())
EXTRAS: dict[str, list[str]] = PYPROJECT["project"]["optional-dependencies"]
LOCKS: dict[str, list[str]] = {"all": [*EXTRAS], "image": []} | {name: [name] for name in ("demo", "frame", "page", "plot")}
"""File in requirements/ -> the extras that it holds beside what the archiver itself needs."""

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
_PIN = re.compile(r"(?P<pin>[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+(?: ; [^#]*?)?)(?: --hash=sha256:[0-9a-f]{64})+")


def lines_of(name: str) -> list[str]:
    """The logical lines of a lock."""
    return re.sub(r" \\\n +", " ", (TOP / f"requirements/{name}.txt").read_text()).splitlines()


def pins_for(lines: Sequence[str], python: str) -> dict[str, str]:
    """Package -> version that a Python on Linux gets. Raises ValueError for a line that is no pin with hashes."""
    found: dict[str, str] = {}
    for line in lines:
        match = _PIN.fullmatch(line)
        if match is None:
            raise ValueError(f"{line[:80]}: must be name==version with the SHA-256 of its files")
        pin = Requirement(match["pin"])
        environment = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux", "platform_system": "Linux"}
        if pin.marker is None or pin.marker.evaluate(environment):
            if canonicalize_name(pin.name) in found:
                raise ValueError(f"{pin.name}: is pinned twice for Python {python}")
            found[canonicalize_name(pin.name)] = str(pin.specifier).removeprefix("==")
    return found


def not_met(requirements: Sequence[str], pins: dict[str, str]) -> Iterator[str]:
    """Requirements that the pins do not fulfil."""
    for requirement in map(Requirement, requirements):
        version = pins.get(canonicalize_name(requirement.name))
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            yield f"{requirement}: the lock has {version}"


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(("name", "extras"), LOCKS.items())
def test_the_lock_is_in_step(name: str, extras: Sequence[str], python: str) -> None:
    """Each line is a pin with hashes, and each dependency in pyproject.toml is pinned within its range, setuptools too; else: make lock."""
    wanted = [*PYPROJECT["project"]["dependencies"], *PYPROJECT["build-system"]["requires"]]
    wanted += [one for extra in extras for one in EXTRAS[extra]]
    assert list(not_met(wanted, pins_for(lines_of(name), python))) == []


@pytest.mark.parametrize("name", LOCKS)
def test_all_locks_agree(name: str) -> None:
    """What one lock pins has the same version and the same files in the lock of everything, with which the tests run."""
    assert set(lines_of(name)) <= set(lines_of("all"))


def test_no_lock_names_a_registry() -> None:
    """No file in requirements/ has an address or an option, and each of them is known here."""
    files = {path.stem: path.read_text() for path in (TOP / "requirements").iterdir()}
    assert files.keys() == LOCKS.keys()
    assert [name for name, text in files.items() if "://" in text or re.search(r"^\s*-(?!-hash=)", text, re.MULTILINE)] == []


def test_what_builds_the_project_is_locked() -> None:
    """The group `build`, which the lock holds, is what the build system asks for."""
    assert PYPROJECT["dependency-groups"]["build"] == PYPROJECT["build-system"]["requires"]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["a==1.0"], "must be name==version"),
        (["a>=1.0 --hash=sha256:" + 64 * "0"], "must be name==version"),
        (["a @ file:///a.whl --hash=sha256:" + 64 * "0"], "must be name==version"),
        (["--index-url x"], "must be name==version"),
        (["a==1.0 --hash=sha256:" + 64 * "0", "a==2.0 --hash=sha256:" + 64 * "0"], "is pinned twice"),
    ],
)
def test_lines_that_are_no_pins_are_noticed(lines: list[str], words: str) -> None:
    """A line without hashes, without an exact version, with an address or an option fails the check, and so do two versions."""
    with pytest.raises(ValueError, match=words):
        pins_for(lines, "3.11")


def test_what_the_lock_lacks_is_noticed() -> None:
    """A dependency that is not pinned, or pinned outside its range, fails the check; one for another Python counts there alone."""
    lines = [f"{pin} --hash=sha256:{64 * '0'}" for pin in ("a==1.0", "b-c==2.0 ; python_full_version < '3.12'")]
    assert list(not_met(["a>=1", "B_C"], pins_for(lines, "3.11"))) == []
    assert list(not_met(["a>=2", "b-c", "d"], pins_for(lines, "3.12"))) == [
        "a>=2: the lock has 1.0",
        "b-c: the lock has None",
        "d: the lock has None",
    ]
