"""Running the application under uvicorn."""

from __future__ import annotations

import gc
import json
import os
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Final

import uvicorn
from uvicorn.supervisors import Multiprocess

from headgate.app.access import Access, local_actor
from headgate.app.project import Project, find_project
from headgate.app.telemetry import set_up_logging, set_up_tracing
from headgate.ledger.access import AccessLedger
from headgate.model.errors import UsageError

from . import tls
from .app import create_app
from .context import ServeOptions
from .guard import LedgerGuard, LocalGuard
from .origin import LOCAL
from .protocol import Protocol
from .records import Front

_SERVING: Final = "HEADGATE_SERVING"


def serve(
    project: Project,
    options: ServeOptions,
    *,
    authorize: bool,
    certfile: str | None = None,
    keyfile: str | None = None,
    proxies: Sequence[str] = (),
    log_format: str = "text",
) -> int:
    """Serve until told to stop; requests under way are finished.

    Args:
        authorize: whether tokens and sessions are asked for.
        proxies: addresses and networks whose word is taken for who the client is (``X-Forwarded-For``).
        log_format: of the log on standard error, ``text`` or ``json``.

    Returns:
        The exit code.

    Raises:
        UsageError: certificate and key are of no use, or the address cannot be had.
    """
    if certfile:
        tls.check(certfile, keyfile)
    if authorize:
        _first_token(project)
    several = options.workers > 1
    if several:  # each process makes its own
        os.environ[_SERVING] = json.dumps({"options": asdict(options), "authorize": authorize, "log": log_format})
    config = uvicorn.Config(
        f"{__name__}:application" if several else _make(project, options, log_format, authorize=authorize),
        factory=several,
        workers=options.workers,
        http=Protocol if certfile else "auto",
        host=options.host,
        port=options.port,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=30,
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=list(proxies),
        ssl_certfile=certfile,
        ssl_keyfile=keyfile,
    )
    sockets = [_listening(options.host, options.port)]
    scheme = "https" if certfile else "http"
    sys.stderr.write(f"headgate: serving {project.folder} on {scheme}://{options.host}:{options.port}\n")
    if not certfile and not proxies and options.host not in LOCAL:
        sys.stderr.write("headgate: tokens and passwords travel in the clear; see --certfile and --proxy\n")
    if several:
        Multiprocess(config, sockets).run()
        return 0
    server = uvicorn.Server(config)
    with suppress(KeyboardInterrupt):  # uvicorn raises the signal again that it ended for
        server.run(sockets)
    return 0 if server.started else 1


def _listening(host: str, port: int) -> socket.socket:
    """A socket at the address, before anything else is begun.

    Raises:
        UsageError: it cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
    except OSError as e:
        found.close()
        raise UsageError(
            f"{host}:{port} cannot be listened on: {(e.strerror or str(e)).lower()}",
            hint="Another server may be running there; choose another --port.",
        ) from None
    found.set_inheritable(True)
    return found


def application() -> Front:
    """The application of one of several processes that share a port."""
    told = json.loads(os.environ[_SERVING])
    return _make(find_project(), ServeOptions(**told["options"]), told["log"], authorize=told["authorize"])


def _make(project: Project, options: ServeOptions, log_format: str, *, authorize: bool) -> Front:
    # A command is over before cycles matter, a server is not; what is loaded by now stays.
    gc.enable()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    set_up_logging(log_format)
    set_up_tracing()
    guard = LedgerGuard(AccessLedger(project.open_ledger().store())) if authorize else LocalGuard()
    return create_app(project, options, guard)


def _first_token(project: Project) -> None:
    """Where there has never been a token, the first one is made and shown."""
    access = Access(AccessLedger(project.ledger.store()), project.import_files)
    if text := access.first_token(local_actor()):
        sys.stderr.write(f"headgate: the first token, an administrator's, shown only this once: {text}\n")
