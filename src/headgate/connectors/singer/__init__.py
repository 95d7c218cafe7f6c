"""Singer taps as sources: programs that write records as messages."""

from .source import SingerSource

__all__ = ["SingerSource"]
