"""SFTP servers as a place of files: ``sftp://user@host:22/folder``."""

from .place import SftpPlace

__all__ = ["SftpPlace"]
