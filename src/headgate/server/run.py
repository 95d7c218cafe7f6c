"""Running the application under uvicorn."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress

import uvicorn

from headgate.app.access import Access, local_actor
from headgate.app.project import Project
from headgate.ledger.access import AccessLedger

from . import tls
from .app import create_app
from .context import ServeOptions
from .guard import LedgerGuard, LocalGuard
from .origin import LOCAL


def serve(
    project: Project,
    options: ServeOptions,
    *,
    authorize: bool,
    certfile: str | None = None,
    keyfile: str | None = None,
    proxies: Sequence[str] = (),
) -> int:
    """Serve until told to stop; requests under way are finished.

    Args:
        authorize: whether tokens and sessions are asked for.
        proxies: addresses and networks whose word is taken for who the client is (``X-Forwarded-For``).

    Returns:
        The exit code.

    Raises:
        UsageError: certificate and key are of no use.
    """
    if certfile:
        tls.check(certfile, keyfile)
    app = create_app(project, options, _guard(project) if authorize else LocalGuard())
    config = uvicorn.Config(
        app,
        host=options.host,
        port=options.port,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=30,
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=list(proxies),
        ssl_certfile=certfile,
        ssl_keyfile=keyfile,
    )
    server = uvicorn.Server(config)
    scheme = "https" if certfile else "http"
    sys.stderr.write(f"headgate: serving {project.folder} on {scheme}://{options.host}:{options.port}\n")
    if not certfile and not proxies and options.host not in LOCAL:
        sys.stderr.write("headgate: tokens and passwords travel in the clear; see --certfile and --proxy\n")
    with suppress(KeyboardInterrupt):  # uvicorn raises the signal again that it ended for
        server.run()
    return 0 if server.started else 1


def _guard(project: Project) -> LedgerGuard:
    """The guard over the project's ledger; where there has never been a token, the first one is made and shown."""
    access = Access(AccessLedger(project.ledger.store()), project.import_files)
    if text := access.first_token(local_actor()):
        sys.stderr.write(f"headgate: the first token, an administrator's, shown only this once: {text}\n")
    return LedgerGuard(AccessLedger(project.open_ledger().store()))
