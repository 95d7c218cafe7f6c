"""Numbers of things in words."""

from __future__ import annotations

from headgate.model.counting import counted, verb


def test_one_is_one_and_all_others_are_several() -> None:
    assert [counted(n, "file") for n in (0, 1, 2, 2_000)] == ["0 files", "1 file", "2 files", "2,000 files"]
    assert [verb(n, "was", "were") for n in (0, 1, 2)] == ["were", "was", "were"]
