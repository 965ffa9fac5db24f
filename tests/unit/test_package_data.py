from __future__ import annotations

import tomllib
import zipfile
from pathlib import Path

from tests.processes.wheel import LINKED, TOP, build_wheel


def test_folders_are_sub_packages_of_archioc() -> None:
    """Each folder of the product is a package below archioc, by a relative link."""
    assert {path.name: str(path.readlink()) for path in (TOP / "archioc").iterdir() if path.is_symlink()} == {
        name: f"../{name}" for name in LINKED
    }


def test_files_beside_the_code_are_installed_with_it() -> None:
    """Every file of an installed package that is no Python is named as data of the package, so that an installation has it."""
    setuptools = tomllib.loads((TOP / "pyproject.toml").read_text())["tool"]["setuptools"]
    compiled = {source for module in setuptools["ext-modules"] for source in module["sources"]}
    missing = []
    for folder in ("archioc", *LINKED):
        for file in (TOP / folder).rglob("*"):  # which does not follow links
            path = file.relative_to(TOP) if folder == "archioc" else "archioc" / file.relative_to(TOP)
            if not file.is_file() or file.suffix in {".py", ".pyi", ".pyc", ".so"} or str(path) in compiled:
                continue
            named = any(
                path.relative_to(package).match(pattern)
                for package in path.parents
                for pattern in setuptools["package-data"].get(".".join(package.parts), [])
            )
            if not named:
                missing.append(str(path))
    assert missing == []


def test_a_wheel_holds_archioc_alone(tmp_path: Path) -> None:
    """A wheel has one package, `archioc`, with its type marker, displays and dashboards, and no C source."""
    wheel = build_wheel(tmp_path)
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"archioc"}
    assert {"archioc/py.typed", "archioc/opi/phoebus/main.bob", "archioc/grafana/dashboards/archioc-overview.json"} <= names
    assert not [name for name in names if name.endswith(".c")]
