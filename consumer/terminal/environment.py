"""Reads the settings for a command."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from consumer.settings import SETTINGS, BadSettings, read_settings
from consumer.terminal.refused import usage
from process.settings.secret_values import hide_secrets

if TYPE_CHECKING:
    from consumer.settings import Settings


def settings_set() -> Settings:
    """Read the environment. Raises CommandRefused with every problem when it is refused."""
    hide_secrets(SETTINGS, os.environ)
    try:
        return read_settings(os.environ)
    except BadSettings as refused:
        problems = "\n".join(f"  {line}" for line in refused.problems)
        raise usage(f"these settings are refused:\n{problems}") from refused
