"""Values by Grafana's names of their units."""

from __future__ import annotations

from typing import Any, Final

_STEPS: Final = ((1e9, "G"), (1e6, "M"), (1e3, "K"))


def shown(value: Any, unit: str) -> str:
    """Write a value as a panel with this unit would."""
    if value is None:
        return "–"
    if unit == "string":
        return str(value)
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value)
    match unit:
        case "percentunit":
            return f"{number:.1%}"
        case "currencyUSD":
            return f"${number:,.4f}" if abs(number) < 0.1 else f"${number:,.2f}"
        case "s":
            return _seconds(number)
        case "bytes":
            return f"{_short(number)}B"
        case _:
            return _short(number)


def _seconds(number: float) -> str:
    for size, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if number >= size:
            return f"{number / size:.1f} {name}"
    return f"{number:.2f} s" if number >= 1 or not number else f"{number * 1000:.0f} ms"


def _short(number: float) -> str:
    for size, name in _STEPS:
        if abs(number) >= size:
            return f"{number / size:.2f} {name}"
    return f"{number:g}" if number == int(number) else f"{number:.3g}"
