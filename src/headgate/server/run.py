"""Running the application under uvicorn."""

from __future__ import annotations

import sys
from contextlib import suppress

from headgate.app.project import Project
from headgate.model.errors import UsageError

from .context import ServeOptions


def serve(
    project: Project, options: ServeOptions, *, authorize: bool, certfile: str | None = None, keyfile: str | None = None
) -> int:
    """Serve until told to stop; requests under way are finished.

    Returns:
        The exit code.

    Raises:
        UsageError: the ``server`` extra is not installed.
    """
    try:
        import uvicorn
    except ImportError:
        raise UsageError(
            "serving needs more than is installed", hint="Install it: pip install 'headgate[server]'."
        ) from None
    from .access import OpenGuard
    from .app import create_app

    guard = OpenGuard()
    del authorize
    app = create_app(project, options, guard)
    config = uvicorn.Config(
        app,
        host=options.host,
        port=options.port,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=30,
        ssl_certfile=certfile,
        ssl_keyfile=keyfile,
    )
    server = uvicorn.Server(config)
    scheme = "https" if certfile else "http"
    sys.stderr.write(f"headgate: serving {project.folder} on {scheme}://{options.host}:{options.port}\n")
    with suppress(KeyboardInterrupt):  # uvicorn raises the signal again that it ended for
        server.run()
    return 0 if server.started else 1
