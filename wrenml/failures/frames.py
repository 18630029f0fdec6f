"""Tracebacks as plain rows, and rows as tracebacks that print as the originals did, carets included."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from types import CodeType, FunctionType, TracebackType
from typing import Any, cast

__all__ = ["Row", "build_traceback", "drop_frames", "read_traceback"]

Row = tuple[str, str, str, int, int | None, int | None, int | None]
"""File, function, module, line, end line, column, end column."""

_MOST_FRAMES = 2000  # far more than anybody reads, and than the default recursion limit


def drop_frames(tb: TracebackType | None, skip: int) -> TracebackType | None:
    """Return the traceback without its first `skip` frames, None when none is left."""
    for _ in range(skip):
        tb = tb and tb.tb_next
    return tb


def read_traceback(tb: TracebackType | None) -> list[Row]:
    """Return one row for each frame, outermost first; of a very deep one the middle is left out."""
    tracebacks: list[TracebackType] = []
    while tb is not None:
        tracebacks.append(tb)
        tb = tb.tb_next
    if len(tracebacks) > _MOST_FRAMES:
        half = _MOST_FRAMES // 2
        tracebacks = tracebacks[:half] + tracebacks[-half:]
    return [_row(each) for each in tracebacks]


def _row(tb: TracebackType) -> Row:
    code = tb.tb_frame.f_code
    place = next(islice(code.co_positions(), max(tb.tb_lasti, 0) // 2, None), (None, None, None, None))
    module = str(tb.tb_frame.f_globals.get("__name__", ""))
    # tb_lineno is None while no line has been reached.
    line = tb.tb_lineno or code.co_firstlineno
    # Template engines and extension modules make tracebacks whose code says something else.
    span = place[1:] if place[0] == line else (None, None, None)
    return code.co_filename, code.co_name, module, line, *span


def build_traceback(rows: Iterable[Row]) -> TracebackType | None:
    """Return a traceback of real frames that shows these rows; None for no rows.

    Its frames were never run and have no caller: they keep nothing alive. (The frame of code that was run
    keeps its caller's, and so everything that the caller knew.)

    Parameters
    ----------
    rows : iterable of Row
        As `read_traceback` returns them.

    Returns
    -------
    types.TracebackType or None
        Outermost frame first.
    """
    # Only clients with a failure need it.
    import ast  # noqa: PLC0415

    stub = ast.parse("def stub(): yield")
    nodes = [node for node in ast.walk(stub) if isinstance(node, ast.stmt | ast.expr)]
    codes: dict[Row, tuple[CodeType, int]] = {}
    tb = None
    for row in reversed(list(rows)):
        if row not in codes:
            codes[row] = _place(stub, nodes, row)
        code, at = codes[row]
        frame = FunctionType(code, {"__name__": row[2], "__file__": row[0]})().gi_frame
        tb = TracebackType(tb, frame, at, row[3])
    return tb


def _place(stub: Any, nodes: list[Any], row: Row) -> tuple[CodeType, int]:  # noqa: ANN401  syntax trees
    """Return the stub's code as if it stood at that place, and its instruction that does."""
    file, name, _, line, *span = row
    end_line, column, end_column = (line, -1, -1) if None in span else cast("tuple[int, int, int]", tuple(span))
    for node in nodes:
        node.lineno, node.end_lineno, node.col_offset, node.end_col_offset = (
            line,
            end_line,
            column,
            end_column,
        )
    module = compile(stub, "<stub>", "exec", dont_inherit=True)
    code = next(const for const in module.co_consts if isinstance(const, CodeType))
    wanted = (line, end_line, None, None) if column < 0 else (line, end_line, column, end_column)
    at = next((2 * i for i, position in enumerate(code.co_positions()) if position == wanted), 0)
    return code.replace(co_filename=file, co_name=name, co_qualname=name), at
