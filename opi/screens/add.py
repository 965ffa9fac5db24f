"""add.bob: channels added, imported, renamed and removed. Fields are local to the display; a button alone carries out a command."""

from __future__ import annotations

from dataclasses import dataclass

from archioc.opi.bob import Display, Widget
from archioc.opi.screens.frame import TOP, VIEW, bottom_line, display
from archioc.opi.style import GAP, MARGIN, ROW, SMALL, Size
from archioc.opi.widgets import BOX_EDGE, Place, Send, Write, box, button, field, label


@dataclass(frozen=True, slots=True)
class Command:
    """A command of many lines. pv: below the view. form: what its lines look like. confirm: the question before it."""

    title: str
    pv: str
    form: str
    action: str
    confirm: str = ""


COMMANDS = (
    Command("Add channels", "Add", "A line each:  NAME [rate=10] [mode=scan] [group=vac]", "Add"),
    Command(
        "Remove channels",
        "Remove",
        "A line each:  NAME, or a glob with confirm=NUMBER; what is stored stays",
        "Remove ...",
        "Stop archiving the channels that the field names? What is stored stays.",
    ),
    Command("Change settings", "Set", "A line each:  NAME or glob, setting=value [confirm=NUMBER]", "Change"),
    Command("Rename channels", "Rename", "A line each:  OLD NEW; what is stored comes along", "Rename"),
)


def add(size: Size = SMALL) -> Display:
    """Commands of many lines, files, and the configuration file."""
    half = (size.width - 2 * MARGIN - GAP) // 2
    result_y = size.height - MARGIN - ROW
    files_y = result_y - 2 * (ROW + GAP) - GAP
    height = (files_y - TOP - 2 * GAP) // 2
    boxes = []
    for number, command in enumerate(COMMANDS):
        at = Place(MARGIN + number % 2 * (half + GAP), TOP + number // 2 * (height + GAP), half, height)
        boxes.append(_command(command, at))
    return display("add.bob", "Add and remove", size.width, size.height, (*boxes, *_files(files_y), *bottom_line(result_y, size.width)))


def _command(command: Command, at: Place) -> Widget:
    width, height = at.width - 2 * BOX_EDGE, at.height - 2 * BOX_EDGE
    name, text_y = f"text of {command.pv}", ROW
    button_y = height - ROW
    local = f'loc://archioc-$(DID)-{command.pv}("")'
    inside = (
        label(command.form, Place(0, 0, width, ROW - 4)),
        field(local, name, Place(0, text_y, width, button_y - text_y - GAP), lines=True),
        button("Clear", Place(0, button_y, 90), [Write(local, "")], tip="Empty the field; nothing is put"),
        button(command.action, Place(width - 160, button_y, 160), [Send(name)], pv=f"{VIEW}{command.pv}", confirm=command.confirm),
    )
    return box(command.title, at, inside)


def _files(y: int) -> list[Widget]:
    apply_y = y + ROW + GAP
    apply = f"{VIEW}Apply"
    return [
        label("Import a file", Place(MARGIN, y, 160), style="Default Bold"),
        field('loc://archioc-$(DID)-ImportFile("")', "text of ImportFile", Place(MARGIN + 166, y, 414)),
        button("Import", Place(MARGIN + 586, y, 160), [Send("text of ImportFile")], pv=f"{VIEW}ImportFile"),
        label("Press Return, then Import: a file in the directory import.", Place(MARGIN + 752, y, 504), style="Comment"),
        label("Configuration file", Place(MARGIN, apply_y, 160), style="Default Bold"),
        button(
            "What would change?", Place(MARGIN + 166, apply_y, 204), [Write(apply, "2")], pv=apply, tip="A dry run: the last line says it"
        ),
        button(
            "Apply ...",
            Place(MARGIN + 376, apply_y, 204),
            [Write(apply, "1")],
            pv=apply,
            confirm="Follow the configuration file as it is now?",
            tip="Read the configuration file again and follow it; operators' puts stay where the file has not changed",
        ),
    ]
