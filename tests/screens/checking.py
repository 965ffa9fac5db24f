"""All that the checker finds in a directory of displays."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import ParseError

from tests.screens import format as forms
from tests.screens import geometry, names
from tests.screens.pvs import Contract
from tests.screens.reading import Screen, read


def check(directory: Path, contract: Contract) -> list[str]:
    """Findings in words, each with its file; none when all displays are good."""
    found: list[str] = []
    screens: dict[str, Screen] = {}
    for path in sorted(directory.glob("*.bob")):
        try:
            screens[path.name] = read(path)
        except (ParseError, ValueError) as error:
            found.append(f"{path.name}: not well-formed: {error}")
    for name, screen in screens.items():
        findings = (*forms.findings(screen), *geometry.findings(screen), *names.pv_findings(screen, contract))
        found += [f"{name}: {finding}" for finding in findings]
    return found + list(names.macro_findings(screens))
