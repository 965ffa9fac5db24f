"""A record of each type of EPICS base and of each type of array, and the values that are put to them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

ALWAYS = 'field(PINI, "YES") field(MDEL, "-1") field(ADEL, "-1")'
LIMITS = 'field(HIHI, "100") field(HHSV, "MAJOR") field(HIGH, "50") field(HSV, "MINOR") field(LOLO, "-100") field(LLSV, "MAJOR")'
ANALOG = f"{ALWAYS} {LIMITS}"
FROM_AO = '"$(P)AO CP NMS"'
STATES = 'field(PINI, "YES") field(ZRST, "Idle") field(ONST, "Ramp up") field(TWST, "Trip") field(TWSV, "MAJOR") field(UNSV, "INVALID")'
OPEN_SHUT = 'field(PINI, "YES") field(ZNAM, "Closed, \\"shut\\"") field(ONAM, "Open") field(OSV, "MAJOR") field(COSV, "MINOR")'

NUMBERS = [0.1, -0.0, 1e300, -1e-300, 5e-324, 75.0, 150.0, -150.0, math.nan, math.inf, -math.inf, 2**53 + 1.0, 0.30000000000000004]
INTEGERS = [1, -1, 75, 150, -150, 2**31 - 1, -(2**31), 0]
LONG_INTEGERS = [*INTEGERS, 2**40, 2**53, -(2**53)]
TEXTS = ["two words", 'a "quoted", comma=and', "back\\slash\\", "50 µm ± 1 °C", " leading and trailing ", "", "two\nlines", "x" * 39]
ARRAYS = [[1.5], [], [0.1, -0.0, 1e300, math.nan, math.inf, -math.inf, 5e-324], [0.0] * 8, [3.0, 2.0]]
INTEGER_ARRAYS = [[1], [], [-1, 2**15 - 1, -(2**15)], [0] * 8]
UNSIGNED_ARRAYS = [[1], [], [0, 2**16 - 1], [7] * 8]
LONG_ARRAYS = [*INTEGER_ARRAYS, [2**31 - 1, -(2**31)]]
LONG_TEXTS = [text.encode() for text in (*TEXTS, "µ" * 60, 'long, "quoted"\nand\\ ' * 9)] + [b"\xe9t\xe9 " * 20, b"\xff"]
"""Also longer than a DBR_STRING, and some that are not UTF-8."""
BYTES = [[1], [], [0, 127, 255], [7] * 8]
TEXT_ARRAYS = [["one", "two words", "3 µm"], ["a,b", 'q"', "back\\", ""], ["two\nlines"]]


@dataclass(frozen=True, slots=True)
class Row:
    """One record: how it is defined, what is put to it (or to `field` of it), and how many of its updates must be seen at least.

    A record that computes its value from another one, or that sends only its first value to archivers, has no puts. With at_least 0 it is
    never processed, since its subroutine is not there. long: it is read, and put, as a long string.
    """

    name: str
    record_type: str
    fields: str
    puts: Sequence[object] = ()
    at_least: int = 1
    textual: bool = False
    field: str = ""
    long: bool = False

    @property
    def channel(self) -> str:
        """What is archived of it, without the prefix."""
        return f"{self.name}.VAL$" if self.long else self.name

    @property
    def put_to(self) -> str:
        """Where its values are put, without the prefix."""
        return f"{self.name}.{self.field}" if self.field else self.channel

    @property
    def definition(self) -> str:
        return f'record({self.record_type}, "$(P){self.name}") {{ {self.fields} }}\n'


def _array(name: str, record_type: str, element: str, puts: Sequence[object], length: int = 8, textual: bool = False) -> Row:
    fields = f'field(PINI, "YES") field(FTVL, "{element}") field(NELM, "{length}")'
    return Row(name, record_type, fields, puts, len(puts), textual)


TYPES = [
    Row("AO", "ao", ANALOG, NUMBERS, len(NUMBERS)),
    Row("AI", "ai", f'{ANALOG} field(EGU, "mA") field(PREC, "3")', NUMBERS, len(NUMBERS)),
    Row("CALC", "calc", f'{ANALOG} field(INPA, {FROM_AO}) field(CALC, "A*2")', at_least=len(NUMBERS) // 2),
    Row("CALCOUT", "calcout", f'{ANALOG} field(INPA, {FROM_AO}) field(CALC, "A+1")', at_least=len(NUMBERS) // 2),
    Row("SEL", "sel", f'{ANALOG} field(INPA, {FROM_AO}) field(SELM, "High Signal")', at_least=len(NUMBERS) // 2),
    Row("SUB", "sub", ANALOG, at_least=0),
    Row("ASUB", "aSub", 'field(PINI, "YES")'),
    Row("DFANOUT", "dfanout", ANALOG, NUMBERS[:6], 6),
    Row("LONGIN", "longin", ANALOG, INTEGERS, len(INTEGERS)),
    Row("LONGOUT", "longout", ANALOG, INTEGERS, len(INTEGERS)),
    Row("INT64IN", "int64in", ANALOG, LONG_INTEGERS, len(LONG_INTEGERS)),
    Row("INT64OUT", "int64out", ANALOG, LONG_INTEGERS, len(LONG_INTEGERS)),
    Row("BI", "bi", OPEN_SHUT, [1, 0, 1], 3),
    Row("BO", "bo", OPEN_SHUT, [1, 0, 1], 3),
    Row("MBBI", "mbbi", STATES, [1, 2, 0, 7], 4),
    Row("MBBO", "mbbo", STATES, [1, 2, 0, 7], 4),
    Row("MBBID", "mbbiDirect", 'field(PINI, "YES") field(NOBT, "16")', [1, 2**15 + 1, 0], 3),
    Row("MBBOD", "mbboDirect", 'field(PINI, "YES") field(NOBT, "16")', [1, 2**15 + 1, 0], 3),
    Row("PERMISSIVE", "permissive", 'field(PINI, "YES") field(LABL, "May, \\"ramp\\"")', [1, 0], 2),
    Row("FANOUT", "fanout", 'field(PINI, "YES")'),
    Row("SEQ", "seq", 'field(PINI, "YES")'),
    Row("EVENT", "event", 'field(PINI, "YES") field(VAL, "beam lost")', textual=True),
    Row("STATE", "state", 'field(PINI, "YES")', ["Ready", "a,b", "x" * 19], 3, textual=True),
    Row("STRINGIN", "stringin", 'field(PINI, "YES")', TEXTS, len(TEXTS), textual=True),
    Row("STRINGOUT", "stringout", 'field(PINI, "YES")', TEXTS, len(TEXTS), textual=True),
    Row("LSI", "lsi", 'field(PINI, "YES") field(SIZV, "200")', TEXTS, len(TEXTS), textual=True),
    Row("LSO", "lso", 'field(PINI, "YES") field(SIZV, "200")', TEXTS, len(TEXTS), textual=True),
    Row("LONGLSI", "lsi", 'field(PINI, "YES") field(SIZV, "400")', LONG_TEXTS, len(LONG_TEXTS), textual=True, long=True),
    Row("LONGSTRING", "stringout", 'field(PINI, "YES")', TEXTS, len(TEXTS), textual=True, long=True),
    Row("PRINTF", "printf", f'field(PINI, "YES") field(SIZV, "80") field(FMT, "at, %g") field(INP0, {FROM_AO})', at_least=5, textual=True),
    Row("HISTOGRAM", "histogram", 'field(PINI, "YES") field(NELM, "4") field(ULIM, "4") field(MDEL, "-1")', [1, 1], 2, field="PROC"),
    Row("COMPRESS", "compress", f'field(INP, {FROM_AO}) field(ALG, "Circular Buffer") field(NSAM, "4") field(PINI, "YES")', at_least=5),
    _array("WDOUBLE", "waveform", "DOUBLE", ARRAYS),
    Row("SUBARRAY", "subArray", 'field(INP, "$(P)WDOUBLE CP") field(FTVL, "DOUBLE") field(MALM, "8") field(NELM, "2") field(INDX, "1")'),
    _array("WFLOAT", "waveform", "FLOAT", [[0.5, -1e30], [0.1], [], [math.nan, math.inf]]),
    _array("WLONG", "waveform", "LONG", LONG_ARRAYS),
    _array("WULONG", "waveform", "ULONG", [*UNSIGNED_ARRAYS, [2**31]]),
    _array("WINT64", "waveform", "INT64", [*LONG_ARRAYS, [2**53, -(2**53)]]),
    _array("WUINT64", "waveform", "UINT64", [*UNSIGNED_ARRAYS, [2**53]]),
    _array("WSHORT", "waveform", "SHORT", INTEGER_ARRAYS),
    _array("WUSHORT", "waveform", "USHORT", UNSIGNED_ARRAYS),
    _array("WENUM", "waveform", "ENUM", [[0, 1], [3]]),
    _array("WCHAR", "waveform", "CHAR", ["plain", 'µ \\ " ,', "y" * 79], 80),
    _array("WUCHAR", "waveform", "UCHAR", BYTES),
    _array("WSTRING", "waveform", "STRING", TEXT_ARRAYS, 4, textual=True),
    _array("AAI", "aai", "DOUBLE", ARRAYS),
    _array("AAO", "aao", "LONG", LONG_ARRAYS),
    _array("WONE", "waveform", "DOUBLE", [1.5, 2.5], 1),
]
DATABASE = "".join(row.definition for row in TYPES)
