"""``SETTINGS.md``: the reference page, made from the fields themselves."""

from __future__ import annotations

from fleetspan_collector.config._settings import SETTINGS

_HEAD = """# Settings of the collector

Made by `python -m fleetspan_collector.config`; a test compares it with the code.

A setting is taken from the first place that has it: a flag of the command, the
environment, a TOML file, the default. `fleetspan config show --origin` says which.
Every setting is also `--set NAME=VALUE`. The TOML file is the one of `--config` or
`FLEETSPAN_CONFIG`, else `config.toml` in the data directory, else `config.toml` in the
platform's user configuration directory; its keys are the names below. A name that is
not known is an error, in the file and in the environment (the SDK's own `FLEETSPAN_*`
variables are known and ignored).

Sizes are bytes, or a number with a unit such as `16 MiB` or `2 GB`. An empty variable is
as good as none.

"""


def settings_page() -> str:
    """Return the page as Markdown."""
    lines = [
        "| setting | environment | flag | default | what it does | zero, `off`, empty |",
        "|---|---|---|---|---|---|",
    ]
    for setting in SETTINGS.values():
        flag = f"`{setting.flag}`" if setting.flag else ""
        cells = [
            f"`{setting.name}`",
            f"`{setting.variable}`",
            flag,
            setting.default,
            setting.about,
            setting.zero or "not allowed",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return _HEAD + "\n".join(lines) + "\n"
