"""The documentation says what the code does: links, commands, the CSV header, the exception tree, configurations."""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import pytest
import typer.main

from archioc.cli.main import app
from archioc.cli.output.csv_columns import CSV_HEADER
from archioc.core import errors
from archioc.core.config.file import parse_config

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def fences(page: Path) -> Iterator[tuple[str, str]]:
    """Language and content of each code block."""
    for found in _FENCE.finditer(page.read_text()):
        yield found[1], found[2]


def anchors(page: Path) -> set[str]:
    """Names under which a web view shows the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def configurations() -> list[tuple[str, str]]:
    """YAML blocks that are a whole configuration: they declare channels or groups."""
    found = [(name_of(page), text) for page in PAGES for language, text in fences(page) if language == "yaml"]
    return [(page, text) for page, text in found if re.search(r"^(channels|groups):", text, re.MULTILINE)]


def written_commands() -> list[tuple[str, str]]:
    """Every `archioc ...` in a page, in a shell block or as code in a sentence."""
    found: list[tuple[str, str]] = []
    for page in PAGES:
        lines = [line for language, text in fences(page) if language == "sh" for line in text.splitlines()]
        parts = [part for line in lines for part in re.split(r"[;|]|&&", re.sub(r"(^|\s)#.*", "", line))]
        parts += _CODE.findall(_FENCE.sub("", page.read_text()))
        found += [(name_of(page), part.strip()) for part in parts if re.match(r"\s*(\S*/)?archioc(\s|$)", part)]
    return found


def commands() -> dict[str, click.Command]:
    """Every command by its words, such as `get` and `quarantine list`."""
    found: dict[str, click.Command] = {}
    for name, command in _within(typer.main.get_command(app)).items():
        found |= {f"{name} {part}": one for part, one in _within(command).items()} or {name: command}
    return found


def _within(command: object) -> dict[str, click.Command]:
    return dict(getattr(command, "commands", {}))


def command_in(words: Sequence[str]) -> str:
    """The command that a line begins with."""
    return next((name for name in commands() if name.split() == [*words][: len(name.split())]), words[0])


def options_of(command: click.Command) -> set[str]:
    named = {option for parameter in command.params if parameter.param_type_name == "option" for option in parameter.opts}
    for part in getattr(command, "commands", {}).values():
        named |= options_of(part)
    return named | {"--help", "-h"}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_relative_links_lead_somewhere(page: Path) -> None:
    """Each relative link of a page names a file that is there, and where it names a heading, that too."""
    for target in _LINK.findall(_FENCE.sub("", page.read_text())):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{name_of(page)}: {target}"
        assert not anchor or anchor in anchors(file), f"{name_of(page)}: {target}: no such heading"


def test_contributing_names_every_room() -> None:
    """CONTRIBUTING.md has a line for each folder of product code, and no line for a folder that is not there."""
    named = {name.rstrip("/") for name in re.findall(r"^\| `([\w/]+)` \|", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)}
    assert all((ROOT / name).is_dir() for name in named)
    top = ("engine", "ioc", "db", "retrieval", "opi", "grafana", "archioc")
    rooms = {name_of(file.parent) for folder in top for file in (ROOT / folder).rglob("__init__.py")}
    commands = {room for room in rooms if room.startswith("archioc/cli/") and (ROOT / room / "command.py").exists()}
    assert rooms - commands - {"archioc"} <= named


def test_every_room_says_what_belongs_there() -> None:
    """The first line of each package is one sentence."""
    top = ("engine", "ioc", "db", "retrieval", "opi", "grafana", "archioc")
    files = [file for folder in top for file in (ROOT / folder).rglob("__init__.py")]
    assert [name_of(file) for file in files if not file.read_text().startswith('"""')] == []


def test_index_names_every_page() -> None:
    """docs/README.md links to every page of the documentation."""
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / target).resolve() for target in _LINK.findall(index.read_text())}
    missing = [name_of(page) for page in PAGES if page.is_relative_to(index.parent) and page != index and page not in linked]
    assert not missing


def test_csv_header_is_that_of_the_code() -> None:
    """The page of the command line has the CSV header as it is written."""
    blocks = [text.strip() for _, text in fences(ROOT / "docs/reference/contract/cli.md")]
    assert ",".join(CSV_HEADER) in blocks


def test_exception_tree_is_that_of_the_code() -> None:
    """The tree of errors is drawn alike in the docs and in the code, and it is the tree of the classes."""
    drawn = re.compile(r"[│ ]*[├└]── (\w+)")
    in_code = [line for line in inspect.cleandoc(errors.__doc__ or "").splitlines() if drawn.match(line)]
    page = ROOT / "docs/reference/errors.md"
    tree = next(text for _, text in fences(page) if text.startswith("ArchiocError\n"))
    assert tree.splitlines()[1:] == in_code
    classes = {name for name, found in inspect.getmembers(errors, inspect.isclass) if issubclass(found, errors.ArchiocError)}
    parents = {"ArchiocError": ""}
    base = "ArchiocError"
    for line in in_code:
        match = drawn.match(line)
        assert match is not None
        nested = line[0] in "│ "
        base = base if nested else "ArchiocError"
        parents[match[1]] = base
        if not nested:
            base = match[1]
    assert set(parents) == classes
    for name, parent in parents.items():
        assert not parent or getattr(errors, name).__base__.__name__ == parent
    explained = set(re.findall(r"^\| `(\w+)` \|", page.read_text(), re.MULTILINE))
    assert explained == classes - {"ArchiocError"}


@pytest.mark.parametrize(("page", "text"), configurations(), ids=lambda value: value if value.endswith(".md") else "")
def test_configurations_are_valid(page: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration in a page is one that the archiver takes, on a machine with the number of a shard."""
    monkeypatch.setenv("ARCHIOC_SHARD_INDEX", "0")
    config = parse_config(text, tmp_path / page.replace("/", "-"))
    assert config.channels or config.groups


def test_configurations_are_found() -> None:
    """The pages that show how to configure have a whole configuration."""
    assert {page for page, _ in configurations()} >= {"README.md", "docs/how-to/install.md", "docs/how-to/influxdb.md"}


def test_commands_and_options_exist() -> None:
    """No page names a command or an option of `archioc` that there is not."""
    known = commands()
    groups = {name.split()[0] for name in known if " " in name}
    found = written_commands()
    assert {command_in(part.split()[1:]) for _, part in found if len(part.split()) > 1} >= known.keys()
    for page, part in found:
        words = shlex.split(part.replace("[", "").replace("]", "").replace("...", ""))[1:]
        if not words or words[0] in {"COMMAND", "--help", "--version"}:
            continue
        command = command_in(words)
        if command in groups:
            continue
        assert command in known, f"{page}: `{part}`"
        used = {word.partition("=")[0] for word in words[1:] if re.match(r"--?[a-z]", word) and not re.match(r"-\d", word)}
        assert used <= options_of(known[command]), f"{page}: `{part}`"


def test_every_command_and_option_is_told() -> None:
    """The page of the command line tells every command and every option."""
    page = (ROOT / "docs/reference/contract/cli.md").read_text()
    for name, command in commands().items():
        assert f"`archioc {name}" in page
        for option in options_of(command) - {"--help", "-h"}:
            assert re.search(rf"{re.escape(option)}\b", page), f"archioc {name} {option}"
