"""S9: 2,000 files of 10 KB and 4 of 256 MB to an OpenSSH SFTP server on loopback; and fewer to an S3 server.

    bench/run.py S9                     against rclone with 4 transfers and no hashing (Debian has it)
    bench/run.py S9 --rounds 5

The sides take turns; a ratio is the median of the rounds' ratios (below 1: Headgate is faster). After each run every file at the
destination is compared with its source (SHA-256). Beside it, once each: OpenSSH's own `sftp`, and eight tasks of asyncssh. Then
Headgate is killed half-way, and what its next run sends again is counted. The S3 server is moto's, in a process of its own, and
slower than either side, so that only being slower than rclone by much would show there.
"""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import json
import os
import platform
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from measure import Measured, measure

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
RESULTS = HERE / "results_s9.json"
PAGE = HERE.parent / "docs" / "benchmarks.md"
BEGIN, END = "<!-- files: written by bench/s9.py -->\n", "<!-- end of files -->"
SMALL, LARGE = (2_000, 10_240), (4, 256 << 20)
S3_SMALL, S3_LARGE = (300, 10_240), (2, 64 << 20)
ASKED, ASKED_S3 = 1.1, 1.0
ASYNCSSH = """
import asyncio, os, sys
import asyncssh

async def main(source, target, port, key, user):
    async with asyncssh.connect("127.0.0.1", int(port), username=user, client_keys=[key], known_hosts=None,
                                encryption_algs=["aes128-gcm@openssh.com"], compression_algs=None) as connection:
        async with connection.start_sftp_client() as client:
            files = []
            for folder, _, names in os.walk(source):
                await client.makedirs(os.path.normpath(os.path.join(target, os.path.relpath(folder, source))), exist_ok=True)
                files += [os.path.join(folder, name) for name in names]
            waiting = iter(sorted(files, key=os.path.getsize, reverse=True))
            async def work():
                for file in waiting:
                    await client.put(file, os.path.join(target, os.path.relpath(file, source)))
            await asyncio.gather(*(work() for _ in range(8)))

asyncio.run(main(*sys.argv[1:]))
"""


class Wrong(Exception):
    """What arrived is not what was sent."""


@dataclass(frozen=True, slots=True)
class Sftp:
    """A server, and where its files go."""

    port: int
    folder: Path
    key: Path
    host_key: str
    user: str


def run(data: Path, rounds: int) -> list[dict[str, Any]]:
    """All measurements."""
    if shutil.which("rclone") is None:
        raise SystemExit("S9 compares with rclone: apt-get install rclone")
    with tempfile.TemporaryDirectory(prefix="headgate-s9-", dir=data) as name:
        work = Path(name)
        return [*_sftp(data, work, rounds), _s3(data, work, rounds)]


def _sftp(data: Path, work: Path, rounds: int) -> Iterator[dict[str, Any]]:
    source = tree(data / "s9", SMALL, LARGE)
    wanted = sums(source)
    with sftp_server(work / "ssh") as server:

        def one(side: str) -> Measured:
            return _once(work, server.folder, wanted, lambda home: _sftp_command(side, source, server, home))

        yield _against("sftp", one, "rclone", rounds) | {"asked": ASKED}
        for side in ("openssh", "asyncssh"):
            took = one(side)
            yield {"to": "sftp", "beside": side, "wall": took.wall, "cpu": took.cpu}
        yield _killed(work, source, wanted, server)


def _s3(data: Path, work: Path, rounds: int) -> dict[str, Any]:
    source = tree(data / "s9-s3", S3_SMALL, S3_LARGE)
    wanted = sums(source)
    with s3_server(work / "s3.log") as port:
        import boto3

        client = boto3.client(
            "s3", endpoint_url=f"http://127.0.0.1:{port}", aws_access_key_id="k", aws_secret_access_key="s",
            region_name="us-east-1",
        )  # fmt: skip

        def one(side: str) -> Measured:
            bucket = f"bench{random.randrange(10**9)}"
            client.create_bucket(Bucket=bucket)
            home = Path(tempfile.mkdtemp(dir=work))
            took = _finished(measure(_s3_command(side, source, port, bucket, home), home, _environment(home)))
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="tree/")
            keys = [o["Key"] for page in pages for o in page["Contents"]]
            found = {k[5:]: client.get_object(Bucket=bucket, Key=k)["Body"] for k in keys}
            _same(wanted, {k: hashlib.sha256(body.read()).hexdigest() for k, body in found.items()})
            for key in keys:
                client.delete_object(Bucket=bucket, Key=key)
            return took

        return _against("s3", one, "rclone", rounds) | {"asked": ASKED_S3}


def _against(to: str, one: Callable[[str], Measured], peer: str, rounds: int) -> dict[str, Any]:
    taken: dict[str, list[Measured]] = {peer: [], "headgate": []}
    for number in range(rounds):
        for side in ((peer, "headgate"), ("headgate", peer))[number % 2]:
            taken[side].append(one(side))
    ratios = [ours.wall / theirs.wall for ours, theirs in zip(taken["headgate"], taken[peer], strict=True)]
    return {
        "to": to, "rounds": rounds, "ratio": statistics.median(ratios), "ratios": ratios,
        "cpu_ratio": statistics.median(o.cpu / t.cpu for o, t in zip(taken["headgate"], taken[peer], strict=True)),
        **{side: {"wall": statistics.median(m.wall for m in some), "cpu": statistics.median(m.cpu for m in some),
                  "rss": max(m.rss for m in some)} for side, some in taken.items()},
    }  # fmt: skip


def _once(work: Path, folder: Path, wanted: dict[str, str], command: Callable[[Path], list[str]]) -> Measured:
    shutil.rmtree(folder / "tree", ignore_errors=True)
    (folder / "tree").mkdir(parents=True)
    os.sync()
    home = Path(tempfile.mkdtemp(dir=work))
    took = _finished(measure(command(home), home, _environment(home)))
    _same(wanted, sums(folder / "tree"))
    return took


def _finished(took: Measured) -> Measured:
    if took.code:
        raise SystemExit(f"exit code {took.code}: {took.output[-2000:]}")
    return took


def _same(wanted: dict[str, str], found: dict[str, str]) -> None:
    if wanted != found:
        wrong = sum(found.get(k) != v for k, v in wanted.items())
        raise Wrong(f"{wrong} of {len(wanted)} files are not what they were; {len(found)} are there")


def _environment(home: Path) -> dict[str, str]:
    kept = {
        k: v for k, v in os.environ.items() if not k.startswith("AWS_")
    }  # rclone takes a bundle of certificates amiss
    return kept | {"HOME": str(home), "HEADGATE_HOME": str(home / "state")}


def _sftp_command(side: str, source: Path, server: Sftp, home: Path) -> list[str]:
    port, target = str(server.port), str(server.folder / "tree")
    if side == "rclone":
        where = (
            f":sftp,host=127.0.0.1,port={port},user={server.user},key_file={server.key},disable_hashcheck=true:{target}"
        )
        return ["rclone", "copy", str(source), where, "--transfers", "4", "--config", "/dev/null"]
    if side == "asyncssh":
        return [sys.executable, "-c", ASYNCSSH, str(source), target, port, str(server.key), server.user]
    if side == "openssh":
        (home / "batch").write_text(f"put -r {source}/. {target}\n")
        words = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        return [
            "sftp",
            "-q",
            "-b",
            str(home / "batch"),
            "-P",
            port,
            "-i",
            str(server.key),
            *words,
            f"{server.user}@127.0.0.1",
        ]
    far = {
        "url": f"sftp://{server.user}@127.0.0.1:{port}{server.folder}",
        "key": str(server.key),
        "host_key": server.host_key,
    }
    return _project(home, far, source)


def _s3_command(side: str, source: Path, port: int, bucket: str, home: Path) -> list[str]:
    if side == "rclone":
        where = (
            f":s3,provider=Other,access_key_id=k,secret_access_key=s,region=us-east-1,endpoint='http://127.0.0.1:{port}':"
            f"{bucket}/tree"
        )
        return ["rclone", "copy", str(source), where, "--transfers", "4", "--config", "/dev/null"]
    far = {
        "url": f"s3://{bucket}", "endpoint": f"http://127.0.0.1:{port}", "allow_http": True, "access_key_id": "k",
        "secret_access_key": "s", "region": "us-east-1",
    }  # fmt: skip
    return _project(home, far, source)


def _project(home: Path, far: dict[str, Any], source: Path) -> list[str]:
    (home / "imports").mkdir(exist_ok=True)
    (home / "headgate.yaml").write_text(json.dumps({"connections": {"far": far}}))
    definition = {"source": f"{source}/", "operation": "upload", "destination": {"connection": "far", "path": "tree/"}}
    (home / "imports" / "tree.yaml").write_text(json.dumps(definition))
    return [str(BIN / "headgate"), "run", "tree", "--quiet", "--json"]


def _killed(work: Path, source: Path, wanted: dict[str, str], server: Sftp) -> dict[str, Any]:
    """Killed when half of the bytes are there: what the next run sends again."""
    shutil.rmtree(server.folder / "tree", ignore_errors=True)
    home = Path(tempfile.mkdtemp(dir=work))
    command, whole = _sftp_command("headgate", source, server, home), _bytes(source)
    null = subprocess.DEVNULL
    process = subprocess.Popen(command, cwd=home, env=_environment(home), stdout=null, stderr=null)
    while process.poll() is None and _bytes(server.folder / "tree") < whole / 2:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    time.sleep(1)  # until the server has noticed
    there = _bytes(server.folder / "tree")
    took = _finished(measure(command, home, _environment(home)))
    _same(wanted, sums(server.folder / "tree"))
    sent = json.loads(took.output)["partitions"][0]["findings"]["bytes_sent"]
    return {"to": "sftp", "killed": there, "whole": whole, "sent_after": sent, "again": there + sent - whole}


def _bytes(folder: Path) -> int:
    with contextlib.suppress(OSError):
        return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    return 0  # a file was renamed just now


def tree(folder: Path, *sizes: tuple[int, int]) -> Path:
    """Folders of random files, made once."""
    if folder.is_dir():
        return folder
    made = folder.with_suffix(".part")
    shutil.rmtree(made, ignore_errors=True)
    random_ = random.Random(9)
    for count, size in sizes:
        for n in range(count):
            file = made / f"{size}" / f"{n // 100:02}" / f"{n:05}.bin"
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("wb") as out:
                for at in range(0, size, 1 << 20):
                    out.write(random_.randbytes(min(1 << 20, size - at)))
    made.rename(folder)
    return folder


def sums(folder: Path) -> dict[str, str]:
    """The SHA-256 of all files in a folder."""
    found = {}
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb") as f:
                found[file.relative_to(folder).as_posix()] = hashlib.file_digest(f, "sha256").hexdigest()
    return found


@contextlib.contextmanager
def sftp_server(folder: Path) -> Iterator[Sftp]:
    """OpenSSH's server on loopback, with keys of its own."""
    program = shutil.which("sshd") or "/usr/sbin/sshd"
    folder.mkdir()
    for name in ("host", "login"):
        key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(key, check=True)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder / 'host'}\nAuthorizedKeysFile {folder / 'login.pub'}\n"
        f"PidFile {folder / 'pid'}\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nMaxStartups 100\nSubsystem sftp internal-sftp\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    process = subprocess.Popen([program, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=subprocess.DEVNULL)
    try:
        _wait(port)
        host_key = " ".join((folder / "host.pub").read_text().split()[:2])
        files = folder / "files"
        files.mkdir()
        yield Sftp(port, files, folder / "login", host_key, getpass.getuser())
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def s3_server(log: Path) -> Iterator[int]:
    """moto's S3 server."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    with log.open("wb") as out:
        process = subprocess.Popen([str(BIN / "moto_server"), "-p", str(port)], stdout=out, stderr=out)
    try:
        _wait(port)
        yield port
    finally:
        process.terminate()
        process.wait()


def _wait(port: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit("the server did not start")


def table(results: list[dict[str, Any]]) -> str:
    """The results in Markdown."""
    lines = [
        "| to | rclone, 4 transfers: s | Headgate: s | ratio | asked | CPU s: rclone | Headgate | MiB: rclone | Headgate |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    words = []
    for r in results:
        if "ratio" in r:
            theirs, ours = r["rclone"], r["headgate"]
            lines.append(
                f"| {r['to']} | {theirs['wall']:.2f} | {ours['wall']:.2f} | **{r['ratio']:.2f}** | at most {r['asked']} |"
                f" {theirs['cpu']:.1f} | {ours['cpu']:.1f} | {theirs['rss'] >> 20} | {ours['rss'] >> 20} |"
            )
        elif "beside" in r:
            lines.append(f"| {r['to']}, {r['beside']} instead | {r['wall']:.2f} | | | | {r['cpu']:.1f} | | | |")
        else:
            words.append(
                f"Killed when {r['killed'] / 1e6:,.0f} of {r['whole'] / 1e6:,.0f} MB were there, the next run sent"
                f" {r['sent_after'] / 1e6:,.0f} MB: {r['again'] / 1e6:,.0f} MB of them again."
            )
    return "\n".join([*lines, "", *words]) + "\n"


def publish(results: list[dict[str, Any]]) -> None:
    """Keep the results, and put them into the page."""
    machine = {
        "rclone": _version("rclone", "version").split()[1], "openssh": _version("ssh", "-V").split(",")[0],
        "python": platform.python_version(), "processors": os.cpu_count(), "date": datetime.now(UTC).date().isoformat(),
    }  # fmt: skip
    RESULTS.write_text(json.dumps({"machine": machine, "results": results}, indent=2) + "\n")
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    told = "; ".join(f"{k} {v}" for k, v in machine.items())
    PAGE.write_text(f"{before}{BEGIN}{table(results)}\nMeasured on: {told}.\n{END}{after}")


def _version(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return (done.stdout or done.stderr).splitlines()[0]
