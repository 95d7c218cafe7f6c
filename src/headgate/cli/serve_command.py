"""`headgate serve`."""

from __future__ import annotations

import click

from headgate.model.errors import UsageError


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option("--port", default=8321, show_default=True, help="Port to listen on.")
@click.option(
    "--workers",
    default=1,
    show_default=True,
    help="Processes that share the port (more than one needs a ledger in PostgreSQL).",
)
@click.option(
    "--deadline", default=10.0, show_default=True, help="Seconds after which a synchronous import is answered with 202."
)
@click.option("--max-body", default=16, show_default=True, help="Largest body of a request in MiB.")
@click.option("--max-records", default=10_000, show_default=True, help="Most records of a synchronous request.")
@click.option("--no-auth", is_flag=True, help="Let everybody do everything; only on this machine's own address.")
@click.option("--certfile", type=click.Path(exists=True, dir_okay=False), help="Serve TLS with this certificate (PEM).")
@click.option(
    "--keyfile",
    type=click.Path(exists=True, dir_okay=False),
    help="The certificate's key, if it is in a file of its own.",
)
@click.option(
    "--proxy",
    "proxies",
    multiple=True,
    metavar="ADDRESS",
    help="Address or network of a proxy that is told who the client is and whether it came over TLS; may be repeated.",
)
def serve(
    host: str, port: int, workers: int, deadline: float, max_body: int, max_records: int, no_auth: bool,
    certfile: str | None, keyfile: str | None, proxies: tuple[str, ...],
) -> int:  # fmt: skip
    """Serve the project over HTTP: synchronous imports, webhooks, runs.

    Whoever asks shows a token. The first one, an administrator's, is made and shown when the server starts and there is none;
    headgate tokens makes others.

    \b
    Example:
      headgate serve
      headgate serve --host 0.0.0.0 --certfile server.pem --keyfile server.key

    \b
    Exit codes: 0 stopped; 1 failed; 2 wrong use or definition.
    """
    from headgate.app.project import find_project

    try:
        from headgate.server.context import ServeOptions
        from headgate.server.run import serve as run
    except ModuleNotFoundError as e:
        if (e.name or "").startswith("headgate"):
            raise
        raise UsageError(
            "serving needs more than is installed", hint="Install it: pip install 'headgate[server]'."
        ) from None

    project = find_project()
    if not project.is_project:
        raise UsageError("a server serves a project, and this is none", hint="Make one: headgate init.")
    if no_auth and host not in ("127.0.0.1", "::1", "localhost"):
        raise UsageError(
            f"--no-auth lets everybody do everything, and {host} can be reached by others",
            hint="Leave --no-auth out, or listen on 127.0.0.1.",
        )
    if keyfile and not certfile:
        raise UsageError("a key is of no use without its certificate", hint="Name it: --certfile FILE.")
    _check_proxies(proxies)
    options = ServeOptions(host, port, workers, deadline, max_body << 20, max_records)
    return run(project, options, authorize=not no_auth, certfile=certfile, keyfile=keyfile, proxies=proxies)


def _check_proxies(proxies: tuple[str, ...]) -> None:
    import ipaddress

    for proxy in proxies:
        try:
            ipaddress.ip_network(proxy, strict=False)
        except ValueError:
            raise UsageError(
                f"--proxy {proxy} is no address and no network", hint="Write 10.0.0.5 or 10.0.0.0/24."
            ) from None
