"""What pydantic found wrong with a configuration, in words for the person who wrote the file."""

from __future__ import annotations

import difflib
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

    from archioc.core.config.yaml_positions import Fault, Loc, YamlTree

_SHOWN = 60
"""Longest value that is quoted in full."""

_NEVER_QUOTED: Loc = ("store", "influxdb")
"""Everything in this block may hold a secret, or be one that was put under the wrong key."""

_RULES: dict[str, Callable[[dict[str, Any]], str]] = {
    "string_type": lambda _: "must be text",
    "path_type": lambda _: "must be a path",
    "int_type": lambda _: "must be a whole number",
    "int_parsing": lambda _: "must be a whole number",
    "int_parsing_size": lambda _: "must be a whole number of reasonable size",
    "int_from_float": lambda _: "must be a whole number",
    "bool_type": lambda _: "must be true or false",
    "bool_parsing": lambda _: "must be true or false",
    "greater_than_equal": lambda ctx: f"must be at least {ctx['ge']}",
    "less_than_equal": lambda ctx: f"must be at most {ctx['le']}",
    "value_error": lambda ctx: str(ctx["error"]),
}

_RULES_OF_FORM = {
    "missing": "is required",
    "dict_type": "must be a mapping (key: value)",
    "model_type": "must be a mapping (key: value)",
    "model_attributes_type": "must be a mapping (key: value)",
    "tuple_type": "must be a list, such as [a, b]",
}
"""Rules about the kind of thing at a place; the text that stands there is not quoted."""


def schema_faults(model: type[BaseModel], error: ValidationError, tree: YamlTree) -> Iterator[Fault]:
    """Each broken rule with its place. Neither secrets nor what stands at an unknown key become part of a message."""
    for details in error.errors(include_url=False, include_input=False):
        loc = tuple(part for part in details["loc"] if part != "[key]")
        match details["type"]:
            case "extra_forbidden":
                message = _unknown_key(model, loc)
            case "enum":
                message = _quoting(loc, _words_of(model, loc), tree)
            case _:
                message = _broken_rule(loc, details, tree)
        yield tree.fault(loc, message)


def _broken_rule(loc: Loc, details: ErrorDetails, tree: YamlTree) -> str:
    kind = details["type"]
    if kind in _RULES_OF_FORM:
        return _RULES_OF_FORM[kind]
    return _quoting(loc, _RULES[kind](details.get("ctx", {})) if kind in _RULES else details["msg"], tree)


def _words_of(model: type[BaseModel], loc: Loc) -> str:
    """The rule of a value that must be one of some words."""
    *others, last = (str(word) for word in _type_at(model, loc))
    return f"must be {', '.join(others)} or {last}" if others else f"must be {last}"


def _quoting(loc: Loc, rule: str, tree: YamlTree) -> str:
    written = tree.scalar(loc)
    if not written or loc[: len(_NEVER_QUOTED)] == _NEVER_QUOTED:
        return rule
    if not written.isprintable():
        written = repr(written)
    return f"{written if len(written) <= _SHOWN else written[:_SHOWN] + '...'}: {rule}"


def _unknown_key(model: type[BaseModel], loc: Loc) -> str:
    known = list(_type_at(model, loc[:-1]).model_fields)
    near = difflib.get_close_matches(str(loc[-1]), known, n=1, cutoff=0.75)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"no such key{hint} (there are {', '.join(known)})"


def _type_at(model: type[BaseModel], loc: Loc) -> Any:
    annotation: Any = model
    for part in loc:
        annotation = _bare(annotation)
        annotation = _item_type(annotation) if get_args(annotation) else annotation.model_fields[part].annotation
    return _bare(annotation)


def _item_type(annotation: Any) -> Any:
    first, second = get_args(annotation)
    return first if second is Ellipsis else second


def _bare(annotation: Any) -> Any:
    """An annotation without `Annotated` and `| None`."""
    while get_origin(annotation) in {Annotated, Union, UnionType}:
        annotation = get_args(annotation)[0]
    return annotation
