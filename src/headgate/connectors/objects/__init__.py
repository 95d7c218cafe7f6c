"""Buckets as a place of files: ``s3://bucket/folder``, ``gs://bucket/folder``, ``az://container/folder``."""

from .place import ObjectPlace

__all__ = ["ObjectPlace"]
