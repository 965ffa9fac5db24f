"""YAML text as plain values, with the line of every key kept.

The schema says what a value is, never its spelling: every scalar is handed on as text, so a channel called `NO` or
`12:30` and a password `0123` stay what was written. Only an unquoted `~`, `null` or nothing at all becomes None.
"""

from __future__ import annotations

import gc
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import yaml
from yaml.composer import ComposerError
from yaml.reader import Reader
from yaml.resolver import BaseResolver

Loc: TypeAlias = tuple[str | int, ...]
"""The way from the top of the file to a value: keys of mappings and indices of lists."""


def key_path(loc: Loc) -> str:
    """A place in the file as people write it: `groups.vacuum.channels[3]`."""
    text = ""
    for part in loc:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


MAX_DEPTH = 50
"""Deepest nesting that is read; a configuration needs seven."""

_TOO_DEEP = f"is not YAML: is nested more than {MAX_DEPTH} deep"
_FLOW_MARK = re.compile(r"""(?<![^\s\[{,:-])(?:'(?:[^']|'')*'|"(?:[^"\\]|\\.)*"|\#[^\n]*|(?P<opens>[\[{]))|(?P<closes>[\]}])""", re.DOTALL)
"""Brackets of lists and mappings written in one line; those in quotes and comments are skipped."""

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_PLAIN_TAGS = frozenset({BaseResolver.DEFAULT_SCALAR_TAG, BaseResolver.DEFAULT_SEQUENCE_TAG, BaseResolver.DEFAULT_MAPPING_TAG})

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

if TYPE_CHECKING or not yaml.__with_libyaml__:
    _Parser = yaml.BaseLoader
else:

    class _Parser(yaml.cyaml.CParser, BaseResolver):
        """libyaml's parser without a resolver: nothing is made but nodes of text, which is also the fastest way."""

        def __init__(self, text: str) -> None:
            yaml.cyaml.CParser.__init__(self, text)
            BaseResolver.__init__(self)


def _limited(parser: type[yaml.BaseLoader]) -> type[yaml.BaseLoader]:
    """A parser that refuses deep nesting, which makes libyaml's run out of stack and end the process."""

    class Limited(parser):  # type: ignore[misc, valid-type]  # the base is chosen at run time
        depth = 0

        def descend_resolver(self, current_node: yaml.Node | None, current_index: object) -> None:  # noqa: ARG002 - PyYAML's signature
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise YamlSyntaxError(current_node.start_mark.line + 1 if current_node else None, _TOO_DEEP)

        def ascend_resolver(self) -> None:
            self.depth -= 1

    return Limited


_Loader = _limited(_Parser)


@dataclass(frozen=True, slots=True)
class Fault:
    """A broken rule: where in the file, and what is wrong. `line` and `column` count from 1."""

    line: int
    column: int
    loc: Loc
    message: str


@dataclass(slots=True)
class YamlTree:
    """A parsed file: its plain value, the faults of its form, and where everything stands."""

    root: yaml.Node | None
    value: object = None
    faults: list[Fault] = field(default_factory=list)

    def fault(self, loc: Loc, message: str) -> Fault:
        """A fault at `loc`, cut to the part of it that is one place in the file.

        A missing key keeps its name and gets the line of the mapping that should hold it.
        """
        node, mark, depth = self.root, _mark_of(self.root), 0
        for part in loc:
            found = _child(node, part)
            if found is None:
                break
            node, mark = found
            depth += 1
        shown = loc if isinstance(node, yaml.MappingNode) or _is_null(node) else loc[:depth]
        return Fault(mark[0], mark[1], shown, message)

    def scalar(self, loc: Loc) -> str | None:
        """The text written at `loc`, None when a list, a mapping or nothing stands there."""
        node = self.root
        for part in loc:
            found = _child(node, part)
            if found is None:
                break
            node = found[0]
        return node.value if isinstance(node, yaml.ScalarNode) else None


_RULES_OF_COMPOSER: dict[str | None, str] = {
    "*": "this alias has no anchor before it",
    "&": "this anchor is given twice",
    None: "a second document begins here, and a file holds one",
}
_QUOTE = "text that begins with this character needs quotes"
_RULES_OF_SYNTAX: dict[str | None, str] = {
    "": "the file ends too early: a quote or a bracket is not closed",
    "\t": "a tab stands here; indent with blanks",
    ":": "no key is allowed here: check the indentation, and put text that holds ': ' in quotes",
    "@": _QUOTE,
    "`": _QUOTE,
    "%": _QUOTE,
    "!": "YAML tags (!name) are not used here",
    None: "what stands here does not go on with what is before it: check indentation, quotes, commas and brackets",
}
"""What is wrong by the character at which the parser gives up, "" at the end of the file; None: any other."""


class YamlSyntaxError(Exception):
    """The text is no YAML; `line` counts from 1, None when the parser did not tell."""

    def __init__(self, line: int | None, message: str) -> None:
        self.line = line
        super().__init__(message)


def parse_yaml(text: str, without: Collection[str] = ()) -> YamlTree:
    """The tree of a YAML text with one document. Raises YamlSyntaxError; other faults are kept in the tree.

    without: keys at the top of the file whose blocks are left out, as if they were not there.
    """
    with collector_paused():
        tree = YamlTree(_compose(text))
        if isinstance(tree.root, yaml.MappingNode):
            tree.root.value = [pair for pair in tree.root.value if not _is_key(pair[0], without)]
        if tree.root is not None:
            tree.value = _Builder(tree.faults).build(tree.root, ())
    return tree


def _is_key(node: yaml.Node, keys: Collection[str]) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.value in keys


@contextmanager
def collector_paused() -> Iterator[None]:
    """No garbage collection meanwhile: a tree of a million nodes holds no garbage, and searching it costs five times the parsing."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _compose(text: str) -> yaml.Node | None:
    try:
        return _Loader(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(text, error) from None
    except yaml.YAMLError:
        bad = Reader.NON_PRINTABLE.search(text)
        line = text.count("\n", 0, bad.start()) + 1 if bad else None
        raise YamlSyntaxError(line, "holds a control character, which YAML does not allow") from None


def _syntax_error(text: str, error: yaml.MarkedYAMLError) -> YamlSyntaxError:
    """The fault in words of ours: a parser changes its own from version to version, and may quote a secret written without quotes."""
    mark, begun = error.problem_mark, error.context_mark
    if mark is None:
        return YamlSyntaxError(None, "is not YAML")
    if (deep := _line_too_deep(text[: mark.index + 1])) is not None:
        return YamlSyntaxError(deep, _TOO_DEEP)
    lines = max(1, len(text.splitlines()))
    line, begun_line = min(mark.line + 1, lines), begun and min(begun.line + 1, lines)
    since = f"; look at what begins in line {begun_line}" if begun_line and begun_line != line else ""
    rules = _RULES_OF_COMPOSER if isinstance(error, ComposerError) else _RULES_OF_SYNTAX
    return YamlSyntaxError(line, f"is not YAML: {rules.get(text[mark.index : mark.index + 1], rules[None])}{since}")


def _line_too_deep(text: str) -> int | None:
    """The line of the bracket that is nested too deep. A parser looks ahead and may refuse a run of brackets before our own limit does."""
    depth = 0
    for found in _FLOW_MARK.finditer(text):
        depth = max(0, depth + (found["opens"] is not None) - (found["closes"] is not None))
        if depth > MAX_DEPTH:
            return text.count("\n", 0, found.start()) + 1
    return None


class _Builder:
    """Plain values from nodes; a node used twice (an alias) is built once."""

    def __init__(self, faults: list[Fault]) -> None:
        self._faults = faults
        self._built: dict[int, object] = {}
        self._open: set[int] = set()

    def build(self, node: yaml.Node, loc: Loc) -> object:
        if node.tag not in _PLAIN_TAGS:
            self._fault(node, loc, "YAML tags (!name) are not used here")
            return None
        if isinstance(node, yaml.ScalarNode):
            return None if _is_null(node) else node.value
        key = id(node)
        if key in self._open:
            self._fault(node, loc, "an alias must not lie inside what it stands for")
            return None
        if key not in self._built:
            self._open.add(key)
            self._built[key] = self._mapping(node, loc) if isinstance(node, yaml.MappingNode) else self._sequence(node, loc)
            self._open.discard(key)
        return self._built[key]

    def _sequence(self, node: yaml.Node, loc: Loc) -> list[object]:
        return [self.build(item, (*loc, index)) for index, item in enumerate(node.value)]

    def _mapping(self, node: yaml.Node, loc: Loc) -> dict[str, object]:
        value: dict[str, object] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._fault(key_node, loc, "a key must be text")
                continue
            key = key_node.value
            if key in value:
                self._fault(key_node, (*loc, key), "this key is given twice")
                continue
            value[key] = self.build(value_node, (*loc, key))
        return value

    def _fault(self, node: yaml.Node, loc: Loc, message: str) -> None:
        line, column = _mark_of(node)
        self._faults.append(Fault(line, column, loc, message))


def _is_null(node: yaml.Node | None) -> bool:
    return isinstance(node, yaml.ScalarNode) and not node.style and node.value in _NULL


def _mark_of(node: yaml.Node | None) -> tuple[int, int]:
    if node is None:
        return 1, 1
    return node.start_mark.line + 1, node.start_mark.column + 1


def _child(node: yaml.Node | None, part: str | int) -> tuple[yaml.Node, tuple[int, int]] | None:
    """The value under a key or index, and where its key (in a list: itself) stands."""
    if isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            if isinstance(key_node, yaml.ScalarNode) and key_node.value == part:
                return value_node, _mark_of(key_node)
    elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], _mark_of(node.value[part])
    return None
