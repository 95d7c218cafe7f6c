"""Which addresses may be connected to.

A URL can come from elsewhere than the project: from a redirect, or a next page named by an answer. So it is looked at what a
name resolves to, every time something is connected, and it is connected to just that address. Link-local addresses (where
clouds keep the credentials of a machine), multicast and the like are refused always; addresses that are not public, such as
127.0.0.1 and 10.0.0.1, unless the connection says ``private: true``.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from headgate.model.errors import SourceError

_NEVER = tuple(
    map(ip_network, ("169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "100.100.100.200/32", "168.63.129.16/32"))
)
_EMBEDS = ip_network("64:ff9b::/96")


class AddressRefusedError(SourceError):
    """What a name resolves to may not be connected to."""


def check(host: str, address: str, *, private: bool) -> None:
    """See that an address may be connected to.

    Args:
        host: the name it was found by, for messages.
        private: whether addresses that are not public may be.

    Raises:
        AddressRefusedError: it may not.
    """
    ip = _meant(ip_address(address.partition("%")[0]))
    shown = host if host == address else f"{host} ({address})"
    if ip.is_link_local or ip.is_multicast or ip.is_unspecified or any(ip in network for network in _NEVER):
        raise AddressRefusedError(f"{shown} is an address that is never connected to", hint="Check the URL.")
    if not private and not ip.is_global:
        raise AddressRefusedError(
            f"{shown} is not a public address",
            hint="If it is in your own network, say private: true beside its URL.",
        )


def _meant(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 address stands for, where it does."""
    if isinstance(ip, IPv4Address):
        return ip
    if ip in _EMBEDS:
        return IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


class _Guarded(HTTPConnection):
    """Connects to addresses that were checked."""

    private = False

    def _new_conn(self) -> socket.socket:
        host = self._dns_host
        try:
            found = socket.getaddrinfo(host, self.port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as e:
            raise NameResolutionError(host, self, socket.gaierror(str(e))) from e
        addresses = list(dict.fromkeys(str(a[4][0]) for a in found))
        for address in addresses:
            check(host, address, private=self.private)
        failed: NewConnectionError | ConnectTimeoutError | None = None
        for address in addresses:
            self._dns_host = address
            try:
                return super()._new_conn()
            except (NewConnectionError, ConnectTimeoutError) as e:
                failed = e
            finally:
                self._dns_host = host
        assert failed is not None, "getaddrinfo gives at least one address"
        raise failed


class _GuardedTLS(_Guarded, HTTPSConnection):
    """The same with TLS."""


class _Private(_Guarded):
    private = True


class _PrivateTLS(_GuardedTLS):
    private = True


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Guarded


class _PoolTLS(HTTPSConnectionPool):
    ConnectionCls = _GuardedTLS


class _PrivatePool(HTTPConnectionPool):
    ConnectionCls = _Private


class _PrivatePoolTLS(HTTPSConnectionPool):
    ConnectionCls = _PrivateTLS


def pools(*, private: bool, ca: str | None, most: int = 1) -> PoolManager:
    """Connections that are kept open, to addresses that may be connected to; certificates are verified.

    Args:
        ca: file with certificates of authorities to trust in the place of the system's.
        most: how many are kept open to one server.
    """
    manager = PoolManager(num_pools=4, maxsize=most, cert_reqs="CERT_REQUIRED", ca_certs=ca)
    manager.pool_classes_by_scheme = (
        {"http": _PrivatePool, "https": _PrivatePoolTLS} if private else {"http": _Pool, "https": _PoolTLS}
    )
    return manager
