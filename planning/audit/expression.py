"""Formulas over named quantities: + − × ÷, parentheses, numbers, ``min`` and ``max``, and nothing else.

A formula is parsed once into a small tree. Its length is bounded and it cannot loop, raise to a power or call anything,
so a file from an untrusted source can be read. `diagnosis` works on the tree.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from planning.audit.flaws import UnreadableError
from planning.audit.units import Quantity, Units, kind, same_kind

LENGTH_MAX: Final = 300
NUMBER_MAX: Final = 1e30
_OPERATORS: Final[dict[type[ast.operator], Literal["+", "-", "*", "/"]]] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/",
}  # fmt: skip
_ALLOWED: Final = "expected names of inputs or figures, numbers, + - * / ( ), min(…) and max(…)"


@dataclass(frozen=True, slots=True)
class NumberTerm:
    """A number in the formula."""

    value: float


@dataclass(frozen=True, slots=True)
class Name:
    """An input, another figure, or a time such as ``day``."""

    name: str


@dataclass(frozen=True, slots=True)
class Binary:
    """Two terms and the operator between them."""

    operator: Literal["+", "-", "*", "/"]
    left: Term
    right: Term


@dataclass(frozen=True, slots=True)
class Extreme:
    """The smallest or the largest of several."""

    which: Literal["min", "max"]
    terms: tuple[Term, ...]


Term = NumberTerm | Name | Binary | Extreme


@dataclass(frozen=True, slots=True, kw_only=True)
class FormulaVariant:
    """A formula with one mistake, which ``slip`` describes."""

    slip: str
    term: Term


def parse(text: str) -> Term:
    """Parse a formula; raises UnreadableError."""
    if len(text) > LENGTH_MAX:
        raise UnreadableError(f"expected at most {LENGTH_MAX} characters")
    try:
        tree = ast.parse(text.strip().replace("×", "*").replace("÷", "/").replace("−", "-"), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UnreadableError(f"{_ALLOWED}; it does not read as a formula") from error
    return _read(tree.body)


def names(term: Term) -> frozenset[str]:
    """Every name in it."""
    match term:
        case NumberTerm():
            return frozenset()
        case Name(name):
            return frozenset({name})
        case Binary(_, left, right):
            return names(left) | names(right)
        case Extreme(_, terms):
            return frozenset[str]().union(*(names(each) for each in terms))


def size(term: Term) -> int:
    """The number of numbers and names in it."""
    match term:
        case Binary(_, left, right):
            return size(left) + size(right)
        case Extreme(_, terms):
            return sum(size(each) for each in terms)
        case _:
            return 1


def evaluate(term: Term, values: Mapping[str, Quantity], units: Units) -> Quantity:
    """The formula's value; raises UnreadableError for incompatible quantities and division by zero."""
    match term:
        case NumberTerm(value):
            return units.number(value)
        case Name(name):
            return values[name]
        case Binary(operator, left, right):
            return _combine(operator, evaluate(left, values, units), evaluate(right, values, units))
        case Extreme(which, terms):
            found = [evaluate(each, values, units) for each in terms]
            for each in found[1:]:
                _must_fit(found[0], each)
            return min(found) if which == "min" else max(found)


def written(term: Term, *, binds: int = 0) -> str:
    """The formula as text, in parentheses if the operator beside it (``binds``) binds as strongly or more."""
    match term:
        case NumberTerm(value):
            return f"{value:.15g}"
        case Name(name):
            return name
        case Binary(operator, left, right):
            own = 1 if operator in "+-" else 3
            after = own + (operator in "-/")  # what is subtracted or divided by needs parentheses
            text = f"{written(left, binds=own)} {operator} {written(right, binds=after)}"
            return f"({text})" if binds > own else text
        case Extreme(which, terms):
            return f"{which}({', '.join(written(each) for each in terms)})"


def variants(term: Term) -> Iterator[FormulaVariant]:
    """The formula with one factor or summand left out, or with a sum in place of a maximum and the other way round."""
    match term:
        case Binary(operator, left, right):
            what = "the factor" if operator in "*/" else "the term"
            binds = 2 if operator in "*/" else 0
            yield FormulaVariant(slip=f"{what} {written(right, binds=binds)} left out", term=left)
            if operator in "*+":
                yield FormulaVariant(slip=f"{what} {written(left, binds=binds)} left out", term=right)
            for each in variants(left):
                yield FormulaVariant(slip=each.slip, term=Binary(operator, each.term, right))
            for each in variants(right):
                yield FormulaVariant(slip=each.slip, term=Binary(operator, left, each.term))
        case Extreme(which, terms):
            total = terms[0]
            for further in terms[1:]:
                total = Binary("+", total, further)
            yield FormulaVariant(slip=f"added up instead of {which}", term=total)
        case _:
            return


def _read(node: ast.expr) -> Term:
    match node:
        case ast.Constant(value=bool() | complex()):
            raise UnreadableError(_ALLOWED)
        case ast.Constant(value=int() | float() as value) if abs(value) < NUMBER_MAX:
            return NumberTerm(float(value))
        case ast.Name(id=name):
            return Name(name)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return Binary("*", NumberTerm(-1.0), _read(operand))
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _OPERATORS:
            return Binary(_OPERATORS[type(operator)], _read(left), _read(right))
        case ast.Call(func=ast.Name(id="min" | "max" as which), args=[_, *_] as terms, keywords=[]):
            return Extreme("min" if which == "min" else "max", tuple(_read(each) for each in terms))
        case _:
            raise UnreadableError(f"{_ALLOWED}; found {ast.unparse(node)}")


def _combine(operator: str, left: Quantity, right: Quantity) -> Quantity:
    found: Quantity
    if operator == "*":
        found = left * right
    elif operator == "/":
        if right.magnitude == 0:
            raise UnreadableError("expected no division by zero")
        found = left / right
    else:
        _must_fit(left, right)
        found = left + right if operator == "+" else left - right
    return found


def _must_fit(left: Quantity, right: Quantity) -> None:
    if not same_kind(left, right):
        raise UnreadableError(f"expected quantities of one kind, these are {kind(left)} and {kind(right)}")
