"""Proves that the producer starts with no setting at all and refuses all bad ones together."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from producers.market_session.settings import BadSettings, read_settings

if TYPE_CHECKING:
    from pathlib import Path

EARLY = dt.date(2024, 11, 29)


def test_nothing_has_to_be_set() -> None:
    settings = read_settings({"REDIS_URL": " ", "SESSION_CATCH_UP_DAYS": ""})
    assert settings.redis_url == "redis://127.0.0.1:6379/0"
    assert settings.catch_up == dt.timedelta(days=10)
    session = settings.calendar.session(EARLY)
    assert session.extended_closes_at - session.closes_at == dt.timedelta(hours=4)


def test_every_setting_reaches_its_place(tmp_path: Path) -> None:
    overrides = tmp_path / "closures.toml"
    overrides.write_text('[[closure]]\nday = 2024-11-27\nreason = "test"\n')
    settings = read_settings(
        {
            "REDIS_URL": "unix:///run/redis.sock",
            "SESSION_CATCH_UP_DAYS": "3",
            "EARLY_EXTENDED_CLOSE": "20:00",
            "TRADING_CALENDAR_OVERRIDES": str(overrides),
        }
    )
    assert settings.redis_url == "unix:///run/redis.sock"
    assert settings.catch_up == dt.timedelta(days=3)
    session = settings.calendar.session(EARLY)
    assert session.extended_closes_at - session.closes_at == dt.timedelta(hours=7)
    assert not settings.calendar.is_trading_day(dt.date(2024, 11, 27))


def test_all_bad_values_are_refused_together_each_with_its_cure(tmp_path: Path) -> None:
    with pytest.raises(BadSettings) as refusal:
        read_settings(
            {
                "REDIS_URL": "http://user:secret@host",
                "SESSION_CATCH_UP_DAYS": "ten",
                "EARLY_EXTENDED_CLOSE": "5pm",
                "TRADING_CALENDAR_OVERRIDES": str(tmp_path / "absent.toml"),
            }
        )
    problems = refusal.value.problems
    assert len(problems) == 4
    assert problems[0].startswith("REDIS_URL=(hidden) is no URL of the kind redis://")
    assert problems[1] == "SESSION_CATCH_UP_DAYS='ten' is no whole number from 1 to 365"
    assert problems[2] == "EARLY_EXTENDED_CLOSE='5pm' is no time of day: write HH:MM, New York time"
    assert problems[3].endswith("is no file: create it, or correct the path")
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SESSION_CATCH_UP_DAYS", "0"),
        ("SESSION_CATCH_UP_DAYS", "366"),
        ("SESSION_CATCH_UP_DAYS", "-1"),
        ("EARLY_EXTENDED_CLOSE", "12:00"),
        ("EARLY_EXTENDED_CLOSE", "24:00"),
        ("EARLY_EXTENDED_CLOSE", "20:01"),
        ("REDIS_URL", "redis://host:port/0"),
        ("REDIS_URL", "localhost"),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(BadSettings, match=name):
        read_settings({name: value})


def test_overrides_that_cannot_be_meant_are_refused(tmp_path: Path) -> None:
    overrides = tmp_path / "closures.toml"
    overrides.write_text('[[closure]]\nday = 2024-11-30\nreason = "a Saturday"\n')
    with pytest.raises(BadSettings, match=r"TRADING_CALENDAR_OVERRIDES=.*2024-11-30 is a Saturday"):
        read_settings({"TRADING_CALENDAR_OVERRIDES": str(overrides)})
