"""FTP servers as a place of files: ``ftp://user@host/folder``, ``ftps://…`` with TLS."""

from .place import FtpPlace

__all__ = ["FtpPlace"]
