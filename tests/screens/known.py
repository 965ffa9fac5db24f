"""What Phoebus 4.7 and later knows: widgets with their versions, properties, and how far enumerations count."""

from __future__ import annotations

COMMON = frozenset({"name", "x", "y", "width", "height", "tooltip", "visible", "class", "rules", "scripts", "actions"})
PV = frozenset({"pv_name", "border_alarm_sensitive"})
TEXT = frozenset({"font", "foreground_color", "background_color", "horizontal_alignment", "vertical_alignment"})
NUMBER = frozenset({"format", "precision", "show_units"})
CONTROL = frozenset({"enabled"})

WIDGETS: dict[str, tuple[str, frozenset[str]]] = {
    "label": ("2.0.0", TEXT | {"text", "auto_size", "rotation_step", "transparent", "wrap_words"}),
    "rectangle": ("2.0.0", frozenset({"line_width", "line_color", "background_color", "transparent", "corner_width", "corner_height"})),
    "textupdate": ("2.0.0", PV | TEXT | NUMBER | {"rotation_step", "transparent", "wrap_words"}),
    "textentry": ("3.0.0", PV | TEXT | NUMBER | CONTROL | {"multi_line", "wrap_words"}),
    "action_button": (
        "3.0.0",
        PV | TEXT | CONTROL | {"transparent", "text", "show_confirm_dialog", "confirm_message", "password", "rotation_step"},
    ),
    "bool_button": (
        "2.0.0",
        PV
        | CONTROL
        | {"bit", "show_led", "labels_from_pv", "mode", "font"}
        | {"foreground_color", "background_color", "show_confirm_dialog", "confirm_message"},
    ),
    "combo": ("2.0.0", PV | CONTROL | {"items", "items_from_pv", "editable", "font", "foreground_color", "background_color"}),
    "multi_state_led": (
        "2.0.0",
        PV | frozenset({"states", "fallback_label", "fallback_color", "font", "foreground_color", "line_color", "square"}),
    ),
    "group": ("3.0.0", frozenset({"style", "font", "foreground_color", "background_color", "line_color", "transparent", "macros"})),
    "stripchart": (
        "2.1.0",
        frozenset({"foreground_color", "background_color"})
        | {"title", "title_font", "label_font", "scale_font", "show_grid", "show_toolbar", "show_legend", "start", "end"}
        | {"y_axes", "traces"},
    ),
    "databrowser": ("2.0.0", frozenset({"file", "macros", "show_toolbar", "selection_value_pv"})),
}
"""Of each widget in use: its version, and its properties beside the common ones."""

HIGHEST = {
    "horizontal_alignment": 2,
    "vertical_alignment": 2,
    "format": 11,
    "rotation_step": 3,
    "style": 3,
    "mode": 2,
    "trace_type": 5,
    "point_type": 4,
}
"""The last ordinal of enumerations."""

FLAGS = frozenset(
    {"wrap_words", "transparent", "show_units", "multi_line", "enabled", "items_from_pv", "labels_from_pv", "show_led", "show_toolbar"}
    | {"show_legend", "show_grid", "autoscale", "border_alarm_sensitive", "auto_size", "visible", "square"}
)
"""Properties that are `true` or `false`."""

LOCAL = "loc://"
"""PVs that live in a Phoebus alone."""

OWN_COLORS = frozenset({"Trace 1", "Trace 2", "Trace 3", "State Good", "State Warning", "State Bad", "State Idle"})
"""Not among those of Phoebus: they have their values in the displays until a site defines them."""
COLORS = OWN_COLORS | frozenset(
    {"OK", "MINOR", "MAJOR", "INVALID", "DISCONNECTED", "Text", "ActiveText", "Background", "Read_Background", "Write_Background"}
    | {"Button_Background", "Header_Background", "Header_ForeGround", "STOP", "Attention", "On", "Off"}
)
FONTS = frozenset({"Default", "Default Bold", "Header 1", "Header 2", "Header 3", "Comment", "Fine Print"})

ACTIONS = frozenset({"write_pv", "open_display", "open_file", "open_webpage", "execute"})
"""Those of all versions; `open_data_browser` and `close_display` came later than 4.7."""
TARGETS = frozenset({"replace", "tab", "window", "standalone"})

PROVIDED = frozenset({"DID", "DNAME", "name", "pv_name", "actions"})
"""Macros that Phoebus itself gives: of the display, and the properties of the widget. In the macros that an action hands on they have no
value (`OpenDisplayActionHandler` looks at the macros of displays and groups alone). `pv_value` is none of them, since it is not the value
alone but `VString["value", alarm, time]`."""
