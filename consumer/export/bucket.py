"""Keeps exported files in an S3 bucket: put whole in one request, read back and compared.

A single PUT is seen by readers as a whole or not at all, and leaves nothing unfinished. A bucket has no locks: of two
exports at once each file is whole, and the later one's stands, also where the earlier one reads it back for its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import re
from typing import TYPE_CHECKING, Any

from consumer.export.place import PlaceAway, PlaceRefused, PlaceUnmeant, Spoilt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from consumer.settings import Settings

SCHEME = "s3://"
KEYS = ("EXPORT_S3_ACCESS_KEY_ID", "EXPORT_S3_SECRET_ACCESS_KEY")
ANSWERS_WITHIN_S = 130.0
_REFUSALS = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "AccessDenied")


class Bucket:
    """A bucket, or what lies below a prefix of it."""

    def __init__(self, store: Any, *, name: str) -> None:
        self._store = store
        self._name = name
        self._obstore: Any = importlib.import_module("obstore")
        self._errors: Any = importlib.import_module("obstore.exceptions")

    @property
    def name(self) -> str:
        return self._name

    async def open(self, folders: Iterable[str]) -> None:
        """See that it answers and takes the keys; a put leaves nothing unfinished in any of *folders*."""
        for folder in list(folders)[:1]:
            with self._in_words():
                async with asyncio.timeout(ANSWERS_WITHIN_S):
                    await self._obstore.list(self._store, prefix=folder, chunk_size=1).collect_async()

    async def close(self) -> None:
        """Nothing is held."""

    async def tail(self, key: str, size: int) -> bytes | None:
        with self._in_words():
            async with asyncio.timeout(ANSWERS_WITHIN_S):
                try:
                    length = int((await self._obstore.head_async(self._store, key))["size"])
                except FileNotFoundError:
                    return None
                start = max(0, length - size)
                return bytes(await self._obstore.get_range_async(self._store, key, start=start, end=length))

    async def put(self, key: str, body: bytes, check: Callable[[bytes], None]) -> None:
        from consumer.export.parquet import is_sound  # needs polars

        await asyncio.to_thread(check, body)  # before it takes the place of what stands
        with self._in_words():
            async with asyncio.timeout(ANSWERS_WITHIN_S):
                await self._obstore.put_async(self._store, key, body, use_multipart=False)
                answer = await self._obstore.get_async(self._store, key)
                kept = bytes(await answer.bytes_async())
            if kept != body and not is_sound(kept):  # a sound one is another export's, which came after
                await self._obstore.delete_async(self._store, key)
                raise Spoilt(f"{self._name} gave back {len(kept)} bytes other than the {len(body)} that were put")

    @contextlib.contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except (self._errors.BaseError, OSError) as error:  # a TimeoutError is an OSError
            raise self._meaning(error) from None  # the library's words quote addresses, and what was sent

    def _meaning(self, error: Exception) -> PlaceAway | PlaceRefused:
        said = str(error)
        if "NoSuchBucket" in said:
            return PlaceRefused(f"there is no bucket {self._name}: make it, or correct --to-dir")
        denied = isinstance(error, self._errors.PermissionDeniedError | self._errors.UnauthenticatedError)
        if denied or any(word in said for word in _REFUSALS):
            return PlaceRefused(f"{self._name} does not accept the keys, or their rights: check {' and '.join(KEYS)}")
        return PlaceAway(f"{self._name} does not answer ({type(error).__name__}): is EXPORT_S3_ENDPOINT right?")


def bucket_at(location: str, settings: Settings) -> Bucket:
    """The bucket at s3://name with an optional prefix. Raises PlaceRefused, PlaceUnmeant."""
    name, _, prefix = location.removeprefix(SCHEME).partition("/")
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", name):
        raise PlaceUnmeant(f"--to-dir {location} names no bucket: write for example s3://exports/market")
    if settings.export_s3_access_key is None or settings.export_s3_secret_key is None:
        raise PlaceRefused(f"{location} wants keys: set {' and '.join(KEYS)}")
    endpoint = settings.export_s3_endpoint
    try:
        stores: Any = importlib.import_module("obstore.store")
    except ModuleNotFoundError as error:
        raise PlaceRefused("a bucket needs obstore: pip install 'data-maintenance[export]'") from error
    store = stores.S3Store(
        name,
        prefix=prefix.strip("/") or None,
        endpoint=endpoint,
        region=settings.export_s3_region,
        access_key_id=settings.export_s3_access_key,
        secret_access_key=settings.export_s3_secret_key,
        client_options={
            "allow_http": (endpoint or "").startswith("http://"),
            "timeout": "120s",
            "connect_timeout": "5s",
        },
        retry_config={"max_retries": 2},
    )
    return Bucket(store, name=location)
