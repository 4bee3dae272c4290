"""Describes the expected value of a field: pydantic's errors are about Python types, and a scenario is YAML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_KINDS: Final = {
    "dict": "fields below it, each with its value",
    "list": "a list",
    "int": "a whole number",
    "float": "a number",
    "bool": "on or off",
    "string": "text",
}
_PATTERNS: Final = {
    r"^[a-z0-9][a-z0-9_]{0,63}$": "1 to 64 of a–z, 0–9 and _, with a letter or a digit first",
    r"^[a-z][a-z0-9_]{0,47}$": "1 to 48 of a–z, 0–9 and _, with a letter first",
    r"^(\*|https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?)$": "*, or an origin such as https://app.example.com",
}
_BOUNDS: Final = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


def expected(error: Mapping[str, Any]) -> str:
    """Turn pydantic's error of one field (``type``, ``msg``, ``ctx``) into a clause that says what was expected."""
    kind, context = str(error["type"]), error.get("ctx", {})
    bounds = [f"{words} {context[name]}" for name, words in _BOUNDS.items() if name in context]
    if kind in ("dict_type", "dataclass_type", "dataclass_exact_type", "mapping_type", "model_type"):
        return f"expected {_KINDS['dict']}"
    if kind in ("tuple_type", "list_type", "frozen_set_type", "set_type"):
        return f"expected {_KINDS['list']}"
    if kind in ("int_parsing", "int_type", "int_from_float", "int_parsing_size"):
        return f"expected {_KINDS['int']}"
    if kind in ("float_parsing", "float_type", "finite_number"):
        return f"expected {_KINDS['float']}"
    if kind in ("bool_parsing", "bool_type"):
        return f"expected {_KINDS['bool']}"
    if kind == "string_type":
        return f"expected {_KINDS['string']}"
    if kind == "string_pattern_mismatch":
        pattern = str(context["pattern"])
        return f"expected {_PATTERNS.get(pattern, f'text that matches {pattern}')}"
    if kind == "string_too_long":
        return f"expected at most {context['max_length']} characters"
    if kind == "string_too_short":
        return f"expected at least {context['min_length']} characters"
    if kind in ("too_short", "too_long"):
        limit = context.get("min_length", context.get("max_length"))
        return f"expected {'at least' if kind == 'too_short' else 'at most'} {limit}"
    if kind in ("enum", "literal_error"):
        return f"expected {context['expected']}"
    if bounds:
        return f"expected {' and '.join(bounds)}"
    return str(error["msg"]).removeprefix("Value error, ").replace("Input should be", "expected it to be")
