"""Reads the vendor's flat files from its S3 bucket, each version once.

The ETag tells a replaced file. A bucket that does not answer is left alone for a while: the API has what it has.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import hashlib
import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from consumer.massive.circuit_breaker import CircuitBreaker, CircuitOpen, CircuitRules
from consumer.massive.flat_file_check import BOUND
from consumer.massive.flat_file_keeping import append, keep, kept_beside
from consumer.massive.flat_file_store import LocalFolder
from consumer.massive.flat_files import FileOnDisk, flat_file_path
from consumer.vendor.errors import (
    AnswerTooLarge,
    BadAnswer,
    FlatFilesNotInstalled,
    FlatFilesUnusable,
    NotYetPublished,
    ProviderUnavailable,
    VendorError,
)
from consumer.vendor.requests import note_request
from market.bounded_fields import REQUEST_ID
from market.bounds import check_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from consumer.vendor.protocol import FlatFileKind, FlatFileStore

VENDOR_ENDPOINT = "https://files.massive.com"
COUNTED_AS = "flat_files"
_SCHEME = "s3://"
_REFUSALS = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "AccessDenied")
LISTINGS_AT_ONCE = 8
_CHUNK_BYTES = 4 << 20
FAILURES_TO_LEAVE_ALONE = 2
LEFT_ALONE = dt.timedelta(minutes=1)
# A look is a few kilobytes; a download of twenty megabytes may take the two minutes that its request allows.
LOOK_WITHIN_S = 30.0


class Bucket:
    """The vendor's bucket, or one that is laid out like it; what was downloaded is kept in *kept_in*."""

    def __init__(self, store: Any, *, name: str, kept_in: Path) -> None:
        self._store = store
        self._name = name
        self._kept_in = kept_in
        self._breaker = CircuitBreaker(
            COUNTED_AS,
            CircuitRules(
                after=FAILURES_TO_LEAVE_ALONE,
                first_pause=LEFT_ALONE,
                longest_pause=10 * LEFT_ALONE,
            ),
        )
        self._away = ProviderUnavailable(f"{name} does not answer")
        self._obstore = _installed("obstore")
        self._errors = _installed("obstore.exceptions")

    async def versions(self, kind: FlatFileKind, days: Collection[dt.date]) -> dict[dt.date, str]:
        """One listing a month: a question a file would be five hundred for two years."""
        wanted = {_key(kind, day): day for day in days}
        gate = asyncio.Semaphore(LISTINGS_AT_ONCE)

        async def listed(folder: str) -> dict[str, str]:
            async with gate:
                return await self._list(folder)

        try:
            async with asyncio.TaskGroup() as group:
                folders = sorted({key.rsplit("/", 1)[0] for key in wanted})
                tasks = [group.create_task(listed(folder)) for folder in folders]
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from several
        found = {key: version for task in tasks for key, version in task.result().items()}
        return {day: found[key] for key, day in wanted.items() if key in found}

    async def _list(self, folder: str) -> dict[str, str]:
        async with self._asking(folder), asyncio.timeout(LOOK_WITHIN_S):
            rows = await self._obstore.list(self._store, prefix=folder).collect_async()
            return {str(row["path"]): _etag(row) for row in rows}

    async def version(self, kind: FlatFileKind, day: dt.date) -> str | None:
        """The version of the day's file; None while it is not published."""
        try:
            async with self._asking(_key(kind, day)), asyncio.timeout(LOOK_WITHIN_S):
                found = await self._obstore.head_async(self._store, _key(kind, day))
        except NotYetPublished:
            return None
        return _etag(found)

    async def fetch(self, kind: FlatFileKind, day: dt.date) -> FileOnDisk:
        version = await self.version(kind, day)
        if version is None:
            raise NotYetPublished(f"There is no flat file {_key(kind, day)} in {self._name} yet")
        known = self._path(kind, day, version)
        if known.exists():
            return FileOnDisk(path=known, version=version)
        with kept_beside(known, self._kept_in) as unfinished:
            version = await self._download(kind, day, unfinished)
            path = self._path(kind, day, version)
            await asyncio.to_thread(keep, unfinished, path)
        return FileOnDisk(path=path, version=version)

    async def _download(self, kind: FlatFileKind, day: dt.date, into: Path) -> str:
        """What arrives is of one version: that of the answer, which may be newer than the one asked about."""
        key, written = _key(kind, day), 0
        async with self._asking(key):
            answer = await self._obstore.get_async(self._store, key)
            version, size = _etag(answer.meta), int(answer.meta["size"])
            if size > BOUND.packed:
                raise AnswerTooLarge(f"{key} has {size} bytes; {BOUND.packed} are the most that it can honestly be")
            async for chunk in answer.stream(min_chunk_size=_CHUNK_BYTES):
                written += len(chunk)
                await asyncio.to_thread(append, into, bytes(chunk))
        if written != size:
            raise ProviderUnavailable(f"{key} broke off after {written} of {size} bytes")
        return version

    def _path(self, kind: FlatFileKind, day: dt.date, version: str) -> Path:
        digest = hashlib.sha256(version.encode()).hexdigest()[:16]
        plain = flat_file_path(self._kept_in, kind, day)
        return plain.with_name(f"{day.isoformat()}.{digest}.csv.gz")

    @contextlib.asynccontextmanager
    async def _asking(self, key: str) -> AsyncIterator[None]:
        """One question; once some in a row were not answered, the next ones are not sent for a while."""
        # Months are asked for together: one of them finds out for all.
        await self._breaker.trial_ended()
        try:
            self._breaker.enter()
        except CircuitOpen as left_alone:
            raise self._away from left_alone
        try:
            async with self._understood(key):
                yield
        except BadAnswer:
            self._breaker.succeeded()
            raise
        except ProviderUnavailable as away:
            self._away = away
            self._breaker.failed()
            raise
        except VendorError:
            self._breaker.succeeded()
            raise
        except BaseException:
            self._breaker.abandoned()
            raise
        self._breaker.succeeded()

    @contextlib.asynccontextmanager
    async def _understood(self, key: str) -> AsyncIterator[None]:
        note_request(COUNTED_AS)
        try:
            yield
        except FileNotFoundError as error:
            raise await self._absence(key) from error
        except self._errors.BaseError as error:
            raise await self._meaning(key, error) from error
        except (OSError, TimeoutError) as error:
            raise self._unanswered(error) from error

    async def _meaning(self, key: str, error: Exception) -> VendorError:
        said = str(error)
        if any(word in said for word in _REFUSALS):
            return self._rejected()
        if isinstance(error, self._errors.PermissionDeniedError | self._errors.UnauthenticatedError):
            # A bucket that may not be listed as a whole answers 403 also for a key that is not there.
            return await self._absence(key)
        return self._unanswered(error)

    async def _absence(self, key: str) -> VendorError:
        """Whether the file is missing, or nothing of this bucket may be read: listing its folder tells."""
        note_request(COUNTED_AS)
        try:
            await self._obstore.list(self._store, prefix=key.rsplit("/", 1)[0], chunk_size=1).collect_async()
        except self._errors.BaseError as error:
            said = str(error)
            if "NoSuchBucket" in said:
                return FlatFilesUnusable(f"there is no bucket {self._name}. Check MASSIVE_FLAT_FILES")
            # The library calls a refused listing a general error and quotes the server.
            denied = isinstance(error, self._errors.PermissionDeniedError | self._errors.UnauthenticatedError)
            if denied or any(word in said for word in _REFUSALS):
                return self._rejected()
            return self._unanswered(error)
        return NotYetPublished(f"There is no flat file {key} in {self._name} yet")

    def _unanswered(self, error: BaseException) -> ProviderUnavailable:
        """The same words for every file: a night's warnings are counted by their words."""
        return ProviderUnavailable(f"{self._name} does not answer: {type(error).__name__}")

    def _rejected(self) -> FlatFilesUnusable:
        return FlatFilesUnusable(
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
