"""Holds the README to the code: every setting with its default and meaning, and every flag of `maintenance run`."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from consumer.settings import SETTINGS, Settings
from consumer.terminal.run_options import RunOptions

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")


def settings_rows() -> list[tuple[str, str, str]]:
    table = README.partition("<!-- settings:")[2].partition("<!-- end of settings")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*) \|$", table, re.MULTILINE)
    return [(name, default.strip().strip("`"), meaning) for name, default, meaning in rows]


def test_the_readme_lists_every_setting_with_its_default_and_meaning_and_no_other() -> None:
    assert settings_rows() == [(setting.name, setting.default, setting.meaning) for setting in SETTINGS]


def test_every_field_of_the_settings_can_be_set_by_one_variable() -> None:
    assert sorted(setting.field for setting in SETTINGS) == sorted(Settings.__struct_fields__)


def test_every_default_is_a_value_that_would_be_accepted() -> None:
    for setting in SETTINGS:
        if setting.default:
            setting.read(setting.default)


def test_the_readme_lists_every_flag_of_run() -> None:
    table = README.partition("## Flags of")[2].partition("\n## ")[0]
    listed = set(re.findall(r"^\| `--([a-z-]+)", table, re.MULTILINE))
    assert listed == {field.name.replace("_", "-") for field in dataclasses.fields(RunOptions)}
