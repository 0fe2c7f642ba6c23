"""Finds the vendor's flat files in a folder or in its S3 bucket, and says which version of a file it gives.

The vendor publishes a day's file the next morning and now and then replaces it: the ETag tells. A file of the bucket is
downloaded once a version, beside itself and then renamed, so that no reader sees half of one or two versions mixed.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import hashlib
import importlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from consumer.massive.errors import (
    BadAnswer,
    BadRequest,
    FlatFilesNotInstalled,
    KeyRejected,
    MassiveError,
    NotYetPublished,
    ProviderUnavailable,
)
from consumer.massive.flat_files import MARKET_FOLDER, FlatFileKind, flat_file_path
from consumer.massive.requests import note_request
from market.bounded_fields import REQUEST_ID
from market.bounds import check_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

VENDOR_ENDPOINT = "https://files.massive.com"
COUNTED_AS = "flat_files"
_SCHEME = "s3://"
_REFUSALS = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "AccessDenied")


class FlatFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file on this machine, and the version of the vendor's file that it is."""

    path: Path
    version: str


class FlatFileStore(Protocol):
    """Where flat files are."""

    async def version(self, kind: FlatFileKind, day: dt.date) -> str | None:
        """The version of the day's file; None while it is not published."""

    async def fetch(self, kind: FlatFileKind, day: dt.date) -> FlatFile:
        """The file itself; NotYetPublished where there is none."""


class LocalFolder:
    """A folder that somebody else keeps filled; a file's version is its time and size."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def version(self, kind: FlatFileKind, day: dt.date) -> str | None:
        self._require_layout()
        try:
            found = flat_file_path(self._root, kind, day).stat()
        except FileNotFoundError:
            return None
        return f"{found.st_mtime_ns}-{found.st_size}"

    async def fetch(self, kind: FlatFileKind, day: dt.date) -> FlatFile:
        version = await self.version(kind, day)
        path = flat_file_path(self._root, kind, day)
        if version is None:
            raise NotYetPublished(f"There is no flat file {path.name} in {path.parent} yet")
        return FlatFile(path=path, version=version)

    def _require_layout(self) -> None:
        if not (self._root / MARKET_FOLDER).is_dir():
            raise BadRequest(f"{self._root} holds no {MARKET_FOLDER} folder. Check MASSIVE_FLAT_FILES")


class Bucket:
    """The vendor's bucket, or one that is laid out like it; what was downloaded is kept in *kept_in*."""

    def __init__(self, store: Any, *, name: str, kept_in: Path) -> None:
        self._store = store
        self._name = name
        self._kept_in = kept_in
        self._obstore = _installed("obstore")
        self._errors = _installed("obstore.exceptions")

    async def version(self, kind: FlatFileKind, day: dt.date) -> str | None:
        try:
            async with self._asking(_key(kind, day)):
                found = await self._obstore.head_async(self._store, _key(kind, day))
        except NotYetPublished:
            return None
        return _etag(found)

    async def fetch(self, kind: FlatFileKind, day: dt.date) -> FlatFile:
        version = await self.version(kind, day)
        if version is None:
            raise NotYetPublished(f"There is no flat file {_key(kind, day)} in {self._name} yet")
        known = self._path(kind, day, version)
        if known.exists():
            return FlatFile(path=known, version=version)
        return await self._download(kind, day)

    async def _download(self, kind: FlatFileKind, day: dt.date) -> FlatFile:
        """What arrives is of one version: that of the answer, which may be newer than the one asked about."""
        async with self._asking(_key(kind, day)):
            answer = await self._obstore.get_async(self._store, _key(kind, day))
            body = bytes(await answer.bytes_async())
            version, size = _etag(answer.meta), int(answer.meta["size"])
        if len(body) != size:
            raise ProviderUnavailable(f"{_key(kind, day)} broke off after {len(body)} of {size} bytes")
        path = self._path(kind, day, version)
        await asyncio.to_thread(_keep, path, body)
        return FlatFile(path=path, version=version)

    def _path(self, kind: FlatFileKind, day: dt.date, version: str) -> Path:
        digest = hashlib.sha256(version.encode()).hexdigest()[:16]
        plain = flat_file_path(self._kept_in, kind, day)
        return plain.with_name(f"{day.isoformat()}.{digest}.csv.gz")

    @contextlib.asynccontextmanager
    async def _asking(self, key: str) -> AsyncIterator[None]:
        note_request(COUNTED_AS)
        try:
            yield
        except FileNotFoundError as error:
            raise await self._absence(key) from error
        except self._errors.BaseError as error:
            raise await self._meaning(key, error) from error
        except (OSError, TimeoutError) as error:
            raise ProviderUnavailable(f"{key} in {self._name} broke off: {type(error).__name__}") from error

    async def _meaning(self, key: str, error: Exception) -> MassiveError:
        said = str(error)
        if any(word in said for word in _REFUSALS):
            return self._rejected()
        if isinstance(error, self._errors.PermissionDeniedError | self._errors.UnauthenticatedError):
            # A bucket that may not be listed as a whole answers 403 also for a key that is not there.
            return await self._absence(key)
        return ProviderUnavailable(f"{key} in {self._name} cannot be read: {type(error).__name__}")

    async def _absence(self, key: str) -> MassiveError:
        """Whether the file is missing, or nothing of this bucket may be read: listing its folder tells."""
        note_request(COUNTED_AS)
        try:
            await self._obstore.list(self._store, prefix=key.rsplit("/", 1)[0], chunk_size=1).collect_async()
        except self._errors.BaseError as error:
            said = str(error)
            if "NoSuchBucket" in said:
                return BadRequest(f"there is no bucket {self._name}. Check MASSIVE_FLAT_FILES")
            # The library calls a refused listing a general error and quotes the server.
            denied = isinstance(error, self._errors.PermissionDeniedError | self._errors.UnauthenticatedError)
            if denied or any(word in said for word in _REFUSALS):
                return self._rejected()
            return ProviderUnavailable(f"{self._name} cannot be listed: {type(error).__name__}")
        return NotYetPublished(f"There is no flat file {key} in {self._name} yet")

    def _rejected(self) -> KeyRejected:
        return KeyRejected(
            f"{self._name} does not accept the keys. Check MASSIVE_S3_ACCESS_KEY_ID and MASSIVE_S3_SECRET_ACCESS_KEY"
        )


def open_store(
    location: str, *, kept_in: Path, access_key: str | None, secret_key: str | None, endpoint: str = VENDOR_ENDPOINT
) -> FlatFileStore:
    """The store at *location*: a folder, or s3://bucket with an optional prefix. Raises FlatFilesNotInstalled."""
    if not location.startswith(_SCHEME):
        return LocalFolder(Path(location))
    bucket, _, prefix = location.removeprefix(_SCHEME).partition("/")
    stores = _installed("obstore.store")
    store = stores.S3Store(
        bucket,
        prefix=prefix.strip("/") or None,
        endpoint=endpoint,
        region="us-east-1",
        access_key_id=access_key,
        secret_access_key=secret_key,
        client_options={"allow_http": endpoint.startswith("http://"), "timeout": "120s", "connect_timeout": "10s"},
        retry_config={"max_retries": 2},
    )
    return Bucket(store, name=location, kept_in=kept_in)


def _installed(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise FlatFilesNotInstalled("A bucket needs obstore: pip install 'data-maintenance[flat-files]'") from error


def _key(kind: FlatFileKind, day: dt.date) -> str:
    return flat_file_path(Path(), kind, day).as_posix()


def _etag(found: Any) -> str:
    etag = found["e_tag"]
    if not etag:
        raise BadAnswer("the bucket gives no ETag: whether a file was replaced could not be told")
    # Kept beside request ids: a name longer than those is told by its digest as well.
    known = check_of(REQUEST_ID)(str(etag), dt.date.max)
    return str(etag) if known else hashlib.sha256(str(etag).encode("utf-8", "replace")).hexdigest()


def _keep(path: Path, body: bytes) -> None:
    """Put *body* in place at once, and take earlier versions of the same day away."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    with os.fdopen(handle, "wb") as file:
        file.write(body)
    Path(name).replace(path)
    day = path.name.split(".", 1)[0]
    for older in path.parent.glob(f"{day}.*.csv.gz"):
        if older != path:
            older.unlink(missing_ok=True)
