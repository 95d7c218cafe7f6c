"""Headgate brings data into applications: it reads records, maps and checks them, and accounts for every one."""

__version__ = "0.1.0"
