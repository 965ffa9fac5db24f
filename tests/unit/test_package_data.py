from __future__ import annotations

import tomllib
from pathlib import Path

TOP = Path(__file__).parents[2]


def test_files_beside_the_code_are_installed_with_it() -> None:
    """Every file of an installed package that is no Python is named as data of the package, so that an installation has it."""
    setuptools = tomllib.loads((TOP / "pyproject.toml").read_text())["tool"]["setuptools"]
    compiled = {source for module in setuptools["ext-modules"] for source in module["sources"]}
    packages = [name.removesuffix("*") for name in setuptools["packages"]["find"]["include"]]
    missing = []
    for package in packages:
        for file in (TOP / package).rglob("*"):
            path = file.relative_to(TOP)
            if not file.is_file() or file.suffix in {".py", ".pyi", ".pyc", ".so"} or str(path) in compiled:
                continue
            patterns = setuptools["package-data"].get(".".join(path.parent.parts), [])
            if not any(path.match(pattern) for pattern in patterns):
                missing.append(str(path))
    assert missing == []
