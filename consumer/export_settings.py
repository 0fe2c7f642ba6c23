"""Declares the settings of a bucket that `maintenance export` writes to; a folder needs none."""

from __future__ import annotations

from process.settings.reading import Setting
from process.settings.urls import http_url
from process.settings.values import text

EXPORT_SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="EXPORT_S3_ACCESS_KEY_ID",
        field="export_s3_access_key",
        default="",
        read=text,
        secret=True,
        meaning="key of the bucket that `maintenance export` writes to",
    ),
    Setting(
        name="EXPORT_S3_SECRET_ACCESS_KEY",
        field="export_s3_secret_key",
        default="",
        read=text,
        secret=True,
        meaning="its secret",
    ),
    Setting(
        name="EXPORT_S3_ENDPOINT",
        field="export_s3_endpoint",
        default="",
        read=http_url("https://s3.example.com"),
        hidden=True,
        meaning="where that bucket is; not set: Amazon's, in EXPORT_S3_REGION",
    ),
    Setting(
        name="EXPORT_S3_REGION",
        field="export_s3_region",
        default="us-east-1",
        read=text,
        meaning="its region",
    ),
)
