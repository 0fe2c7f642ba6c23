"""Puts into words what is told outside: JSON that Slack and its like show as it is, and a ping's sentence.  Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from consumer.postgres.alert_messages import Channel, Message
from consumer.verdict import words
from consumer.verdict.service import Service

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from consumer.postgres.missed_deadlines import MissedDeadline, Noted
    from consumer.verdict.reading import Judged
    from consumer.verdict.service import Serving

MISSED, MADE_GOOD = "deadline_missed", "deadline_made_good"
START, SUCCESS, FAIL = "start", "success", "fail"
RUNBOOK = "docs/runbook.md#deadline-missed"
#: What a person reads; more of it is in the JSON, and all of it in `maintenance status`.
LINES_SHOWN = 10
MOST_LISTED = 200


def webhook_messages(noted: Noted, judged: Judged) -> list[Message]:
    """Return a message for what is missed since, and one for what has come since."""
    kinds = ((MISSED, noted.missed), (MADE_GOOD, noted.made_good))
    return [_webhook(kind, some, judged) for kind, some in kinds if some]


def _webhook(kind: str, some: Sequence[MissedDeadline], judged: Judged) -> Message:
    now = judged.ruler.now
    said: dict[str, Any] = {
        "text": _text(kind, some, judged),
        "type": kind,
        "at": now,
        "deadlines": some[:MOST_LISTED],
        "deadlines_in_all": len(some),
        "serving": judged.serving,
        "runbook": RUNBOOK,
    }
    body = msgspec.json.encode(said).decode()
    return Message(name=f"{kind}/{now.isoformat()}", channel=Channel.WEBHOOK, kind=kind, body=body, made_at=now)


def _text(kind: str, some: Sequence[MissedDeadline], judged: Judged) -> str:
    head = ":red_circle: deadline missed" if kind == MISSED else ":large_green_circle: there now, after its deadline"
    lines = words.missed_in_words(some)
    shown = [f"{head}: {line}" for line in lines[:LINES_SHOWN]]
    if len(lines) > LINES_SHOWN:
        shown.append(f"… and {len(lines) - LINES_SHOWN:,} more, see `maintenance status`")
    shown += [f"why: {why}" for why in dict.fromkeys(one.why for one in some if one.why)][:LINES_SHOWN]
    return "\n".join([*shown, _sentence(judged), words.serving_words(judged.serving)])


def _sentence(judged: Judged) -> str:
    verdict = judged.verdicts.get(judged.serving.trading_day)
    return "" if verdict is None else words.sentence(verdict)


def ping_message(judged: Judged, said: str | None) -> Message | None:
    """Return success where the newest due time is served, fail where it is not and had to be; None where that was
    *said* of it last, or nothing can be said yet."""
    serving = judged.serving
    if serving.service is Service.SERVED:
        kind = SUCCESS
    elif serving.deadline_missed or serving.service is Service.SUSPECT:
        kind = FAIL
    else:
        return None
    if kind == said:
        return None
    body = f"{_sentence(judged)}\n{words.serving_words(serving)}"
    now = judged.ruler.now
    return _ping(f"{about(serving)}{kind}/{now.isoformat()}", kind, body, now)


def about(serving: Serving) -> str:
    """What the names of all pings of that due time begin with, but for its start."""
    return f"due/{serving.trading_day}/{serving.rule}/"


def start_message(trading_day: dt.date, occasion: str, *, now: dt.datetime) -> Message:
    """Return that a cycle has begun for a due time."""
    body = f"maintenance of {trading_day} has begun ({occasion})"
    return _ping(f"{START}/{trading_day}/{occasion}", START, body, now)


def _ping(name: str, kind: str, body: str, now: dt.datetime) -> Message:
    return Message(name=name, channel=Channel.PING, kind=kind, body=body, made_at=now)
