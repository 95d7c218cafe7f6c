"""APIs as destinations: how records are found, created, updated and deleted is said by the resources of a connection."""

from .destination import RestDestination

__all__ = ["RestDestination"]
