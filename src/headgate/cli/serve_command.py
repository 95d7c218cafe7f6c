"""`headgate serve`."""

from __future__ import annotations

import click

from headgate.model.errors import UsageError

from .worker_command import CONCURRENCY


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option("--port", default=8321, show_default=True, help="Port to listen on.")
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Processes that share the port (more than one needs a ledger in PostgreSQL).",
)
@click.option(
    "--deadline", default=10.0, show_default=True, help="Seconds after which a synchronous import is answered with 202."
)
@click.option("--max-body", default=16, show_default=True, help="Largest body of a request in MiB.")
@click.option("--max-records", default=10_000, show_default=True, help="Most records of a synchronous request.")
@click.option(
    "--concurrency",
    type=click.IntRange(1),
    default=CONCURRENCY,
    help="Runs at the same time.  [default: CPUs, at most 4]",
)
@click.option(
    "--no-worker", is_flag=True, help="Only answer; runs are carried out by headgate worker, here or elsewhere."
)
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
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Form of the log on standard error.",
)
def serve(
    host: str, port: int, workers: int, deadline: float, max_body: int, max_records: int, concurrency: int,
    no_worker: bool, no_auth: bool,
    certfile: str | None, keyfile: str | None, proxies: tuple[str, ...], log_format: str,
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
    if workers > 1 and not project.ledger.shared:
        raise UsageError(
            "several processes need a ledger in PostgreSQL, as one file lets only one write at a time",
            hint="Name it in headgate.yaml (ledger: postgresql://…), or leave --workers out.",
        )
    at_once = 0 if no_worker else concurrency
    options = ServeOptions(host, port, workers, deadline, max_body << 20, max_records, concurrency=at_once)
    return run(
        project,
        options,
        authorize=not no_auth,
        certfile=certfile,
        keyfile=keyfile,
        proxies=proxies,
        log_format=log_format,
    )


def _check_proxies(proxies: tuple[str, ...]) -> None:
    import ipaddress

    for proxy in proxies:
        try:
            ipaddress.ip_network(proxy, strict=False)
        except ValueError:
            raise UsageError(
                f"--proxy {proxy} is no address and no network", hint="Write 10.0.0.5 or 10.0.0.0/24."
            ) from None
