"""Servers of files for tests: OpenSSH's SFTP server, an FTP server, an S3 server. Each on loopback, with a folder of its own."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import threading
import time
import warnings
from pathlib import Path
from typing import Any

from .ports import free_port

START_SECONDS = 30.0


def wait_for(port: int, process: subprocess.Popen[bytes] | None = None) -> None:
    """Until somebody listens.

    Raises:
        RuntimeError: nobody does.
    """
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process is not None and process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("the server did not start")


class SshServer:
    """OpenSSH's server, as this user, with SFTP only.

    Raises:
        OSError, RuntimeError: there is none, or it does not start.
    """

    def __init__(self, folder: Path) -> None:
        program = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
        if program is None or shutil.which("ssh-keygen") is None:
            raise OSError("there is no sshd on this machine (package openssh-server)")
        self.port = free_port()
        self.user = getpass.getuser()
        for name in ("host", "login"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)],
                check=True,
                capture_output=True,
            )
        self.key = folder / "login"
        self.host_key = " ".join((folder / "host.pub").read_text().split()[:2])
        config = folder / "sshd_config"
        config.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder / 'host'}\nAuthorizedKeysFile {folder / 'login.pub'}\n"
            f"PidFile {folder / 'pid'}\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n"
            "Subsystem sftp internal-sftp\nForceCommand internal-sftp\n"
        )
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        self.process = subprocess.Popen([program, "-D", "-e", "-f", str(config)], stderr=subprocess.DEVNULL)
        wait_for(self.port, self.process)

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait()


class FtpServer:
    """An FTP server in a thread, with one user.

    Args:
        rights: what the user may do, as pyftpdlib writes it.
    """

    def __init__(self, folder: Path, rights: str = "elradfmwMT") -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # asyncore, which it brings along for later Pythons
            from pyftpdlib.authorizers import DummyAuthorizer
            from pyftpdlib.handlers import FTPHandler
            from pyftpdlib.servers import ThreadedFTPServer

        logins = DummyAuthorizer()
        logins.add_user("shop", "secret", str(folder), perm=rights)
        handler = type("Handler", (FTPHandler,), {"authorizer": logins, "log": lambda *_, **__: None})
        self._server: Any = ThreadedFTPServer(("127.0.0.1", 0), handler)
        self.port = int(self._server.address[1])
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        """Serve until told to stop, and close here: a poller that another thread closes fails the one that polls."""
        while not self._stopping.is_set():
            self._server.serve_forever(timeout=0.05, blocking=False, handle_exit=False)
        self._server.close_all()

    def stop(self) -> None:
        """End it."""
        self._stopping.set()
        self._thread.join(10)


class S3Server:
    """An S3 server in a thread."""

    def __init__(self) -> None:
        from moto.server import ThreadedMotoServer

        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        self.port = int(self._server._server.server_port)  # type: ignore[union-attr]
        self.options = {
            "endpoint": f"http://127.0.0.1:{self.port}", "allow_http": True, "access_key_id": "k", "secret_access_key": "s",
            "region": "us-east-1",
        }  # fmt: skip

    def stop(self) -> None:
        """End it."""
        self._server.stop()
