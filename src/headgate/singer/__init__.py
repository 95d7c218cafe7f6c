"""Singer: the messages that its taps write, for reading them from a tap and from standard input alike.

Its words are used of its own things only: a tap writes messages, of which SCHEMA and RECORD belong to a stream.
"""

from .fields import Layout, layout
from .messages import MessageError, Messages
from .received import Received, StreamScan, StreamSource

__all__ = ["Layout", "MessageError", "Messages", "Received", "StreamScan", "StreamSource", "layout"]
