"""MariaDB, 10.11 and later, and MySQL, 8.0.17 and later, as a destination."""

from __future__ import annotations

import pymysql as _driver  # noqa: F401 - where it is not installed, loading the connector says so

from .destination import MysqlDestination

__all__ = ["MysqlDestination"]
