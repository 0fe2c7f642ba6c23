"""Holds the examples that the help of each verb ends with; a test reads every one of them as its verb would."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[str, ...]] = {
    "run": ("run --once --simulated --tickers 500", "run --trading-day 2025-11-11", "run --once --json"),
    "status": ("status", "status --watch", "status --json"),
    "trigger": ("trigger --wait", "trigger --day 2025-11-11 --task ohlc_daily", "trigger --wait --json"),
    "backfill": (
        "backfill --from 2025-09-02 --to 2025-10-31 --dry-run",
        "backfill --from 2025-09-02 --to 2025-10-31 --task volume_slots",
    ),
    "coverage": ("coverage --from 2025-01-01 --data-set daily_bars", "coverage --symbol AAPL --from 2025-11-01"),
    "gaps": ("gaps", "gaps --from 2025-01-01 --to 2025-06-30 --data-set volume_slots", "gaps --symbol AAPL --json"),
    "pending": ("pending", "pending --json"),
    "dead-letters list": ("dead-letters list", "dead-letters list --all --json"),
    "dead-letters replay": (
        "dead-letters replay 12 13 --dry-run",
        "dead-letters replay --task ohlc_daily --reason 'the vendor is back'",
        "dead-letters replay 12 --set trading_day=2025-11-11",
    ),
    "dead-letters drop": ("dead-letters drop 12 --reason 'the day was repaired by hand'",),
    "cancel": ("cancel 2025-11-11 --reason 'the wrong day'",),
    "verify": ("verify", "verify --json"),
    "doctor": ("doctor", "doctor --offline --json", "doctor --live --report seen.json"),
    "plan": ("plan", "plan --json"),
    "symbol": ("symbol AAPL", "symbol AAPL --at 10:00", "symbol AAPL --json"),
    "export": (
        "export --from 2025-09-02 --to-dir /srv/market",
        "export --from 2025-11-03 --to-dir s3://bucket/market --data-set daily_bars --follow",
    ),
    "findings list": ("findings list --all",),
    "findings accept": ("findings accept 4 --reason 'a halt of the whole market'",),
    "boundary list": ("boundary list --all",),
    "boundary accept": ("boundary accept MMM 2024-04-01 --reason 'spin-off of Solventum'",),
    "boundary reject": ("boundary reject GME 2021-01-27 --reason 'it really rose so'",),
    "report": ("report --month 2025-11", "report --month 2025-11 --html november.html"),
    "worker": ("worker", "worker --http --json"),
    "adopt": ("adopt --source vendor", "adopt --source simulated --tickers 500 --replace"),
    "migrate": ("migrate", "migrate --finish --json"),
    "schema": ("schema", "schema gaps", "schema dead-letters list"),
    "completion": (
        "completion bash > ~/.local/share/bash-completion/completions/maintenance",
        "completion fish > ~/.config/fish/completions/maintenance.fish",
        "completion zsh > ~/.zfunc/_maintenance",
    ),
}
