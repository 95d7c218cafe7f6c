"""What goes along with the content of files: times of change, permissions, and the metadata of buckets."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from headgate.connectors.sftp import place, wire
from headgate.spi.store import Stored
from support.servers import S3Server

from .conftest import Somewhere
from .test_upload_stopped import started
from .uploading import Outbox

THEN = 1_700_000_000
THEN_NS = THEN * 1_000_000_000 + 123_456_789
ONE_PIECE, SEVERAL, GONE_ON_WITH = 10, 9 << 20, (16 << 20) + 5
SIZES = [ONE_PIECE, SEVERAL, GONE_ON_WITH]
LABELS = {
    "ContentType": "application/x-test", "CacheControl": "max-age=60", "ContentDisposition": 'attachment; filename="b  c.txt"',
    "ContentEncoding": "gzip", "ContentLanguage": "de",
}  # fmt: skip


@dataclass
class Asked:
    """A request that a bucket got."""

    method: str
    path: str
    query: str
    headers: dict[str, str] = field(default_factory=dict)


@pytest.fixture
def asked(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> list[Asked]:
    """The requests that come to the buckets from now on."""
    server: Any = s3._server._server
    app, seen = server.app, list[Asked]()

    def noted(environ: dict[str, Any], start: Any) -> Any:
        headers = {k[5:].lower().replace("_", "-"): v for k, v in environ.items() if k.startswith("HTTP_")}
        path = str(environ["RAW_URI"]).partition("?")[0]
        seen.append(Asked(environ["REQUEST_METHOD"], path, environ.get("QUERY_STRING", ""), headers))
        return app(environ, start)

    monkeypatch.setattr(server, "app", noted)
    return seen


def put(outbox: Outbox, path: str, data: bytes, permissions: int = 0o644) -> Path:
    file = outbox.put(path, data)
    os.utime(file, ns=(THEN_NS, THEN_NS))
    file.chmod(permissions)
    return file


def between(outbox: Outbox, of: Somewhere, to: Somewhere | None, **more: Any) -> None:
    """An import from one place to another, or into the project's folder."""
    outbox.define(to, **({"source": {"connection": "from", "path": "out/"}} | more))
    file = outbox.folder / "headgate.yaml"
    both = yaml.safe_load(file.read_text())
    both["connections"]["from"] = of.options
    file.write_text(yaml.safe_dump(both))


def head(client: Any, key: str) -> dict[str, Any]:
    found: dict[str, Any] = client.head_object(Bucket="shop", Key=key)
    return found


class TestBuckets:
    @pytest.mark.parametrize("size", SIZES)
    @pytest.mark.parametrize("way", [{}, {"virtual_hosted_style_request": False}], ids=["own", "obstore"])
    def test_an_object_says_when_its_file_changed(
        self, outbox: Outbox, bucket: Somewhere, s3_client: Any, size: int, way: dict[str, Any]
    ) -> None:
        file = put(outbox, "a.html", b"1" * size)
        outbox.define(replace(bucket, options=bucket.options | way))
        assert outbox.run() == {"created": 1}
        found = head(s3_client, "data/in/a.html")
        assert (found["Metadata"], found["ContentType"]) == ({"mtime": "1700000000.123456789"}, "text/html")
        file.write_bytes(b"2" * size)
        os.utime(file, (THEN + 60, THEN + 60))
        assert outbox.run() == {"updated": 1}
        assert head(s3_client, "data/in/a.html")["Metadata"] == {"mtime": "1700000060"}

    @pytest.mark.parametrize("size", SIZES)
    def test_a_file_has_the_time_that_its_object_says(
        self, outbox: Outbox, bucket: Somewhere, s3_client: Any, asked: list[Asked], size: int
    ) -> None:
        mtime = {"mtime": "1700000000.123456789"}
        s3_client.put_object(Bucket="shop", Key="data/out/a.bin", Body=b"x" * size, Metadata=mtime)
        s3_client.put_object(Bucket="shop", Key="data/out/none.bin", Body=b"x")
        between(outbox, bucket, None)
        asked.clear()
        assert outbox.run() == {"created": 2}
        assert [(a.method, a.path) for a in asked if a.path.endswith("a.bin")] == [
            (method, "/shop/data/out/a.bin") for method in ("HEAD", "GET", "HEAD")
        ]
        assert (outbox.folder / "in/a.bin").stat().st_mtime_ns == THEN_NS
        put_at = head(s3_client, "data/out/none.bin")["LastModified"].timestamp()
        assert (outbox.folder / "in/none.bin").stat().st_mtime == put_at

    @pytest.mark.parametrize("size", SIZES)
    def test_metadata_goes_along_between_buckets(
        self, outbox: Outbox, bucket: Somewhere, s3_client: Any, size: int
    ) -> None:
        own = {"owner": "the  north", "mtime": "1600000000.5"}
        s3_client.put_object(Bucket="shop", Key="from/out/a.html", Body=b"x" * size, Metadata=own, **LABELS)
        between(outbox, replace(bucket, options=bucket.options | {"url": "s3://shop/from"}), bucket)
        try:
            assert outbox.run() == {"created": 1}
            found = head(s3_client, "data/in/a.html")
            # What is signed has one blank for several, and not every client leaves the others.
            assert found["Metadata"] == own
            assert {name: found[name] for name in LABELS} == LABELS
        finally:
            s3_client.delete_object(Bucket="shop", Key="from/out/a.html")

    def test_what_is_sent_in_parts_is_signed_as_amazon_wants_it(
        self, outbox: Outbox, bucket: Somewhere, s3_client: Any, asked: list[Asked]
    ) -> None:
        """By what another client signs the same request with; the server here takes any signature."""
        own = {"owner": "the  north"}
        s3_client.put_object(Bucket="shop", Key="data/out/a.bin", Body=b"x" * GONE_ON_WITH, Metadata=own)
        between(outbox, bucket, bucket)
        asked.clear()
        outbox.run()
        (begun,) = [a for a in asked if a.method == "POST" and a.query.startswith("uploads")]
        login = dict(part.strip().split("=", 1) for part in begun.headers["authorization"].partition(" ")[2].split(","))
        names = login["SignedHeaders"].split(";")
        assert [n for n in begun.headers if n.startswith("x-amz-") and n not in names] == []
        assert {"x-amz-meta-mtime", "x-amz-meta-owner"} < set(names)
        url = f"http://{begun.headers['host']}{begun.path}?{begun.query}"
        request: Any = AWSRequest("POST", url, {n: begun.headers[n] for n in names}, b"")
        request.context["timestamp"] = begun.headers["x-amz-date"]
        auth: Any = S3SigV4Auth(Credentials("k", "s"), "s3", "us-east-1")
        text = auth.string_to_sign(request, auth.canonical_request(request))
        assert auth.signature(text, request) == login["Signature"]

    def test_what_a_bucket_has_is_known_without_the_ledger(
        self, outbox: Outbox, bucket: Somewhere, s3_client: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """By its digest, and, of what was put in parts, by the time that it says."""
        for size in SIZES:
            put(outbox, f"{size}.bin", b"x" * size)
        outbox.define(bucket)
        assert outbox.run() == {"created": 3}
        monkeypatch.setenv("HEADGATE_HOME", str(tmp_path / "another"))
        assert outbox.run() == {"unchanged": 3}
        between(outbox, bucket, None, source={"connection": "from", "path": "in/"}, path="back/")
        assert outbox.run() == {"created": 3}
        monkeypatch.setenv("HEADGATE_HOME", str(tmp_path / "a third"))
        assert outbox.run() == {"unchanged": 3}
        s3_client.put_object(Bucket="shop", Key=f"data/in/{ONE_PIECE}.bin", Body=b"y" * ONE_PIECE)
        assert outbox.run() == {"unchanged": 2, "updated": 1}

    def test_what_a_run_that_was_killed_has_put_is_known_by_undo(
        self, outbox: Outbox, bucket: Somewhere, s3_client: Any
    ) -> None:
        s3_client.put_object(Bucket="shop", Key="data/out/a.txt", Body=b"one", Metadata={"mtime": "1600000000.5"})
        between(outbox, bucket, None)
        assert started(HEADGATE_CRASH="publish.after:1").wait(60) == -signal.SIGKILL
        assert (outbox.folder / "in/a.txt").exists()
        assert outbox("undo", "1").code == 0
        assert not (outbox.folder / "in/a.txt").exists()

    @pytest.mark.parametrize("keeps", ["versions", "folder", "elsewhere"])
    def test_undo_puts_metadata_back(
        self, outbox: Outbox, request: pytest.FixtureRequest, s3_client: Any, keeps: str
    ) -> None:
        far: Somewhere = request.getfixturevalue("versioned" if keeps == "versions" else "bucket")
        own = {"owner": "north", "mtime": "1600000000.5"}
        s3_client.put_object(Bucket="shop", Key="data/in/a.html", Body=b"was", Metadata=own, **LABELS)
        s3_client.put_object(Bucket="shop", Key="data/in/b.html", Body=b"was")
        put_at = head(s3_client, "data/in/b.html")["LastModified"].timestamp()
        for name in ("a", "b"):
            put(outbox, f"{name}.html", b"new")
        backup = {"connection": "from", "path": "kept"} if keeps == "elsewhere" else "kept"
        between(
            outbox,
            replace(far, options=far.options | {"url": "s3://shop/elsewhere"}),
            far,
            source="outbox/",
            transfer={} if keeps == "versions" else {"backup": backup},
        )
        run = outbox("run", "send", "--json")
        assert run.counts == {"updated": 2}
        assert outbox("undo", run.json["id"]).code == 0
        found = head(s3_client, "data/in/a.html")
        assert found["Metadata"] == own
        assert {name: found[name] for name in LABELS} == LABELS
        assert head(s3_client, "data/in/b.html")["Metadata"] == {"mtime": f"{put_at:.0f}"}


@pytest.fixture(params=["local", "sftp", "asyncssh"])
def keeping(request: pytest.FixtureRequest) -> Somewhere:
    """Somewhere that has permissions."""
    found: Somewhere = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def masked() -> Iterator[None]:
    """New files are for their owner and group."""
    before = os.umask(0o027)
    yield
    os.umask(before)


PERMISSIONS = {"private": 0o600, "read": 0o444, "tool": 0o755, "wide": 0o666, "odd": 0o4751}
KEPT = {name: bits & 0o777 for name, bits in PERMISSIONS.items()}


def bits(folder: Path) -> dict[str, int]:
    return {p.name: p.stat().st_mode & 0o7777 for p in folder.iterdir()}


class TestPermissions:
    def test_they_go_along_where_it_is_asked_for(self, outbox: Outbox, keeping: Somewhere, tmp_path: Path) -> None:
        for name, permissions in PERMISSIONS.items():
            put(outbox, name, name.encode(), permissions)
        outbox.define(keeping, transfer={"permissions": "keep", "verify": "read"})
        assert outbox.run() == {"created": 5}
        (folder,) = tmp_path.glob("*/in")
        assert bits(folder) == KEPT
        assert {p.stat().st_mtime_ns // 1_000_000_000 for p in folder.iterdir()} == {THEN}
        assert outbox.run() == {"unchanged": 5}

    def test_they_come_back(self, outbox: Outbox, keeping: Somewhere, tmp_path: Path) -> None:
        for name, permissions in PERMISSIONS.items():
            keeping.put(f"out/{name}", b"")
            next(tmp_path.glob(f"*/out/{name}")).chmod(permissions)
        between(outbox, keeping, None, transfer={"permissions": "keep"})
        assert outbox.run() == {"created": 5}
        assert bits(outbox.folder / "in") == KEPT

    @pytest.mark.usefixtures("masked")
    def test_files_get_those_of_new_ones_otherwise(self, outbox: Outbox, keeping: Somewhere, tmp_path: Path) -> None:
        for name, permissions in PERMISSIONS.items():
            put(outbox, name, b"", permissions)
        outbox.define(keeping)
        outbox.run()
        keeping.put("in/new", b"")
        (folder,) = tmp_path.glob("*/in")
        new = 0o640 if keeping.options["url"].startswith("file") else 0o666 & ~_servers_mask(folder)
        assert bits(folder) == dict.fromkeys(PERMISSIONS, new) | {"new": 0o640}

    @pytest.mark.parametrize("end", ["source", "destination"])
    @pytest.mark.parametrize("other", ["ftp", "bucket"])
    def test_they_are_refused_where_there_are_none(
        self, outbox: Outbox, request: pytest.FixtureRequest, local: Somewhere, other: str, end: str
    ) -> None:
        far: Somewhere = request.getfixturevalue(other)
        (local if end == "destination" else far).put("out/a.txt", b"one")
        between(outbox, *((local, far) if end == "destination" else (far, local)), transfer={"permissions": "keep"})
        for command in (("run", "send"), ("plan", "send"), ("check", "send")):
            said = outbox(*command)
            assert said.code == 2, said
            words = " ".join((said.out + said.err).split())
            name = far.options["url"].partition("://")[0]
            assert f"is for folders and SFTP servers, and {name}://" in words
            assert "Leave transfer.permissions out" in words

    def test_what_a_server_does_not_say_is_a_warning(
        self, outbox: Outbox, sftp: Somewhere, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        of: Callable[[str, wire.Attrs], Stored] = place._stored
        monkeypatch.setattr(place, "_stored", lambda path, attrs: replace(of(path, attrs), permissions=None))
        sftp.put("out/a.txt", b"one")
        between(outbox, sftp, None, transfer={"permissions": "keep"})
        said = outbox("run", "send", "--json")
        assert said.counts == {"created": 1}
        assert "does not say the permissions of 1 file" in said.out

    @pytest.mark.parametrize(("ignores", "code"), [(False, "FI03"), (True, "FI04")])
    def test_what_a_server_does_not_take_is_a_reject(
        self, outbox: Outbox, sftp: Somewhere, monkeypatch: pytest.MonkeyPatch, ignores: bool, code: str
    ) -> None:
        ask = wire.Wire.ask

        def asks(self: wire.Wire, kind: int, *body: bytes) -> int:
            if kind == wire.FSETSTAT and body[1][:4] == b"\0\0\0\4":
                return ask(self, wire.STAT, wire.text("/")) if ignores else ask(self, kind, wire.text("none"), body[1])
            return ask(self, kind, *body)

        done = wire.Wire.done
        monkeypatch.setattr(wire.Wire, "ask", asks)
        if ignores:
            monkeypatch.setattr(wire.Wire, "done", lambda self, n: _either(done, self, n))
        put(outbox, "a.txt", b"one", 0o640)
        outbox.define(sftp, transfer={"permissions": "keep"})
        said = outbox("run", "send", "--json")
        assert said.counts == {"rejected": 1}
        assert [r["code"] for r in said.json["rejects"]] == [code]
        assert sftp.there() == {}

    @pytest.mark.parametrize("elsewhere", [False, True])
    def test_undo_puts_them_back(self, outbox: Outbox, keeping: Somewhere, tmp_path: Path, elsewhere: bool) -> None:
        keeping.put("in/a.txt", b"was")
        (there,) = tmp_path.glob("*/in/a.txt")
        there.chmod(0o600)
        put(outbox, "a.txt", b"new", 0o644)
        (tmp_path / "elsewhere").mkdir()
        backup = {"connection": (tmp_path / "elsewhere").as_uri(), "path": "kept"} if elsewhere else "kept"
        outbox.define(keeping, transfer={"permissions": "keep", "backup": backup})
        run = outbox("run", "send", "--json")
        assert (run.counts, bits(there.parent)) == ({"updated": 1}, {"a.txt": 0o644})
        assert {p.stat().st_mode & 0o777 for p in tmp_path.glob("*/kept/*/in/a.txt")} == {0o600}
        assert outbox("undo", run.json["id"]).code == 0
        assert (there.read_bytes(), bits(there.parent)) == (b"was", {"a.txt": 0o600})


def _either(done: Any, own: wire.Wire, number: int) -> None:
    """Take any answer for having done it."""
    try:
        done(own, number)
    except wire.ConnectionFailed:
        return


def _servers_mask(folder: Path) -> int:
    """What the server's own new files lack, as the first of them shows."""
    return 0o666 & ~(folder / "wide").stat().st_mode & 0o777


class TestRequests:
    """A file costs no more turns to a server for what goes along with it."""

    @pytest.mark.parametrize("keeps", [False, True])
    def test_of_a_file_to_a_server(
        self, outbox: Outbox, sftp: Somewhere, monkeypatch: pytest.MonkeyPatch, keeps: bool
    ) -> None:
        seen, ask = list[int](), wire.Wire.ask

        def noted(self: wire.Wire, kind: int, *body: bytes) -> int:
            seen.append(kind)
            return ask(self, kind, *body)

        for n in range(5):
            put(outbox, f"{n}.txt", b"one")
        outbox.define(sftp, transfer={"parallel": 1} | ({"permissions": "keep"} if keeps else {}))
        monkeypatch.setattr(wire.Wire, "ask", noted)
        assert outbox.run() == {"created": 5}
        w = wire
        sent = [w.OPEN, w.WRITE, w.FSETSTAT, w.CLOSE, w.STAT, w.RENAME, w.STAT]
        more = [w.SETSTAT, w.FSETSTAT] if keeps else []
        once = [w.OPENDIR, w.MKDIR, w.EXTENDED]
        assert sorted(k for k in seen if k not in once) == sorted((sent + more) * 5)

    def test_of_a_file_to_a_bucket(self, outbox: Outbox, bucket: Somewhere, asked: list[Asked]) -> None:
        for n in range(5):
            put(outbox, f"{n}.txt", b"one")
        put(outbox, "large.bin", b"x" * GONE_ON_WITH)
        outbox.define(bucket)
        asked.clear()
        assert outbox.run() == {"created": 6}
        small = [a.method for a in asked if a.path.endswith(".txt")]
        large = [a.method for a in asked if a.path.endswith(".bin") or "large.bin" in a.query]
        assert small == ["PUT"] * 5
        # Whether it is there, and whether it was begun; begun, three parts, put together.
        assert sorted(large) == sorted(["HEAD", "GET", "POST", "PUT", "PUT", "PUT", "POST"])
        assert [a.method for a in asked if a.path == "/shop" and "large" not in a.query] == ["GET"]
