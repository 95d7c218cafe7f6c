"""A place on each kind of server, and the folder behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from headgate.spi import registry
from headgate.spi.place import Place
from support.servers import FtpServer, S3Server, SshServer

if TYPE_CHECKING:
    from .uploading import Outbox


@dataclass
class Somewhere:
    """A place: its connection, and a way to it that is not Headgate's."""

    options: dict[str, Any]
    put: Callable[[str, bytes], None]
    there: Callable[[], dict[str, bytes]]

    def open(self, **more: object) -> Place:
        options = self.options | more
        factory: registry.PlaceFactory = registry.load(registry.PLACES, str(options["url"]).partition("://")[0])
        return factory(options)


@pytest.fixture(scope="session")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    try:
        server = SshServer(tmp_path_factory.mktemp("ssh"))
    except (OSError, RuntimeError) as e:
        pytest.skip(f"no SFTP server: {e}")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    server = S3Server()
    yield server
    server.stop()


def in_folder(folder: Path, options: dict[str, Any]) -> Somewhere:
    def put(path: str, data: bytes) -> None:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)

    def there() -> dict[str, bytes]:
        return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}

    return Somewhere(options, put, there)


@pytest.fixture
def sftp(ssh: SshServer, tmp_path: Path) -> Somewhere:
    folder = tmp_path / "far away"
    folder.mkdir()
    url = f"sftp://{ssh.user}@127.0.0.1:{ssh.port}{str(folder).replace(' ', '%20')}"
    return in_folder(folder, {"url": url, "key": str(ssh.key), "host_key": ssh.host_key})


@pytest.fixture
def asyncssh(sftp: Somewhere) -> Somewhere:
    """The same server by the other way to it, which keys with a passphrase need."""
    return Somewhere(sftp.options | {"passphrase": None}, sftp.put, sftp.there)


@pytest.fixture
def ftp(tmp_path: Path) -> Iterator[Somewhere]:
    (tmp_path / "ftp" / "data").mkdir(parents=True)
    server = FtpServer(tmp_path / "ftp")
    yield in_folder(
        tmp_path / "ftp" / "data", {"url": f"ftp://shop@127.0.0.1:{server.port}/data", "password": "secret"}
    )
    server.stop()


@pytest.fixture
def local(tmp_path: Path) -> Somewhere:
    folder = tmp_path / "not far"
    folder.mkdir()
    return in_folder(folder, {"url": folder.as_uri()})


@pytest.fixture
def s3_client(s3: S3Server) -> Any:
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=s3.options["endpoint"],
        aws_access_key_id="k",
        aws_secret_access_key="s",
        region_name="us-east-1",
    )


@pytest.fixture
def bucket(s3: S3Server, s3_client: Any) -> Iterator[Somewhere]:
    client = s3_client
    name = "shop"
    client.create_bucket(Bucket=name)

    def there() -> dict[str, bytes]:
        found = client.list_objects_v2(Bucket=name, Prefix="data/").get("Contents", [])
        return {
            o["Key"].removeprefix("data/"): client.get_object(Bucket=name, Key=o["Key"])["Body"].read() for o in found
        }

    yield Somewhere(
        {"url": f"s3://{name}/data", **s3.options},
        lambda p, d: client.put_object(Bucket=name, Key=f"data/{p}", Body=d),
        there,
    )
    for o in client.list_objects_v2(Bucket=name).get("Contents", []):
        client.delete_object(Bucket=name, Key=o["Key"])
    client.delete_bucket(Bucket=name)


@pytest.fixture
def versioned(s3_client: Any, bucket: Somewhere) -> Iterator[Somewhere]:
    """A bucket that keeps what was overwritten."""
    client = s3_client
    client.put_bucket_versioning(Bucket="shop", VersioningConfiguration={"Status": "Enabled"})
    yield bucket
    pages = client.list_object_versions(Bucket="shop")
    for one in (*pages.get("Versions", []), *pages.get("DeleteMarkers", [])):
        client.delete_object(Bucket="shop", Key=one["Key"], VersionId=one["VersionId"])


@pytest.fixture(params=["sftp", "asyncssh", "ftp", "bucket"])
def somewhere(request: pytest.FixtureRequest) -> Somewhere:
    found: Somewhere = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["local", "sftp", "asyncssh", "ftp", "bucket"])
def store(request: pytest.FixtureRequest) -> Somewhere:
    """Somewhere that files can be put."""
    found: Somewhere = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def outbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Outbox:
    """A project that sends files."""
    from .uploading import Outbox

    folder = tmp_path / "shop"
    (folder / "imports").mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HEADGATE_HOME", str(tmp_path / "state"))
    return Outbox(folder, lambda: tuple(capfd.readouterr()))
