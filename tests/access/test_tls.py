"""A server with a certificate, made here with openssl."""

from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from support.serving import Serving


def make(folder: Path, name: str, *more: str) -> tuple[Path, Path]:
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert), *(more or ("-nodes",))],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl on this machine")
    return make(tmp_path_factory.mktemp("tls"), "server")


def test_it_serves_tls(folder, pair):
    cert, key = pair
    with Serving(folder, "--certfile", str(cert), "--keyfile", str(key), scheme="https", ca=cert) as server:
        answer = server.get("/api/me")
        assert answer.json()["role"] == "admin"
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        assert f"on https://127.0.0.1:{server.port}" in server.said


def test_certificate_and_key_may_be_one_file(folder, pair, tmp_path):
    both = tmp_path / "both.pem"
    both.write_bytes(pair[0].read_bytes() + pair[1].read_bytes())
    with Serving(folder, "--certfile", str(both), scheme="https", ca=pair[0]) as server:
        assert server.get("/healthz").status == 200


def test_who_keeps_a_connection_open_does_not_keep_the_server(folder, pair):
    cert, key = pair
    with Serving(folder, "--certfile", str(cert), "--keyfile", str(key), scheme="https", ca=cert) as server:
        server.process.send_signal(signal.SIGTERM)  # the pool has a connection still
        assert server.process.wait(20) == 0  # a connection that nobody answers on is waited for half a minute


def test_what_cannot_be_used_is_told(headgate, pair, tmp_path):
    cert, key = pair
    other, other_key = make(tmp_path, "other")
    _, locked = make(tmp_path, "locked", "-passout", "pass:secret")
    junk = tmp_path / "junk.pem"
    junk.write_text("not a certificate")
    empty = tmp_path / "empty.pem"
    empty.write_bytes(b"")
    for certfile, keyfile, words in (
        (cert, other_key, f"{other_key} is not the key of the certificate in {cert}"),
        (cert, None, f"{cert} and {cert} are no certificate and key in PEM"),
        (junk, key, f"{junk} and {key} are no certificate and key in PEM"),
        (cert, empty, f"{cert} and {empty} are no certificate and key in PEM"),
        (other, locked, "protected by a password"),
    ):
        words_of = ["serve", "--port", "0", "--certfile", certfile, *(["--keyfile", keyfile] if keyfile else [])]
        said = headgate(*words_of)
        assert said.code == 2, said
        assert words in said.err
    said = headgate("serve", "--keyfile", key)
    assert (said.code, "of no use without its certificate" in said.err) == (2, True)
