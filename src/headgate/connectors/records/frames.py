"""Frames of pandas as Arrow: what their own way to it would lose or add."""

from __future__ import annotations

from typing import Any

from headgate.model.errors import SourceError


def is_pandas(records: object) -> bool:
    """Whether it is a frame of pandas, told without importing pandas."""
    kind = type(records)
    return kind.__module__.partition(".")[0] == "pandas" and kind.__name__ == "DataFrame"


def without_index(frame: Any) -> Any:
    """The frame with its index as columns where it has names, and without it where it has none.

    pandas itself leaves an index out that is a range, even one with a name (`set_index("id")` of 1, 2, 3), and makes a column
    `__index_level_0__` of any other, so that a filter would add a column. Its periods Arrow holds as numbers; here they are text.

    Raises:
        SourceError: two columns have one name.
    """
    if not frame.columns.is_unique:
        twice = list(dict.fromkeys(map(str, frame.columns[frame.columns.duplicated()])))
        raise SourceError(
            f"the records have several columns of one name: {', '.join(twice)}",
            hint="Rename them: frame.columns = […].",
        )
    names = list(frame.index.names)
    kept = [at for at, name in enumerate(names) if name is not None and name not in frame.columns]
    dropped = [at for at in range(len(names)) if at not in kept]
    if dropped:
        frame = frame.reset_index(level=dropped, drop=True)
    if kept:
        frame = frame.reset_index()
    periods = [name for name, of in frame.dtypes.items() if str(of).startswith("period[")]
    return frame.astype(dict.fromkeys(periods, "string")) if periods else frame
