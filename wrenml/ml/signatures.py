"""Classes that inherit from an estimator of scikit-learn, and have a few parameters more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Any, Final, TypeVar

__all__ = ["with_parameters"]

Kind = TypeVar("Kind", bound=type)

_TYPES: Final = {"n_shards": "int", "executor": "Executor | None"}


def with_parameters(fixed: Mapping[str, Any] | None = None, /, **more: Any) -> Callable[[Kind], Kind]:
    """Give a class the parameters of the `__init__` that it inherits, and more.

    The inherited ones, their order and their defaults are those of the scikit-learn that is installed.

    Parameters
    ----------
    fixed : mapping of str to object, optional
        Inherited parameters that are no parameters of the class, and their values.
    **more
        Keyword parameters and their defaults. One that is inherited gets another default; others become attributes.

    Returns
    -------
    callable
        Decorates the class.
    """
    always = dict(fixed or {})

    def decorated(kind: Kind) -> Kind:
        theirs: Any = kind.__init__  # type: ignore[misc]  # of a class whose parents are known
        known = signature(theirs)
        own = {name: default for name, default in more.items() if name not in known.parameters}
        changed = {name: default for name, default in more.items() if name in known.parameters}
        ours = _joined(known, always, changed, own)

        @wraps(theirs)
        def init(self: Any, *args: Any, **given: Any) -> None:
            try:
                ours.bind(self, *args, **given)
            except TypeError as error:
                # What is inherited would speak of another class.
                raise TypeError(f"{kind.__name__}.__init__() {error}") from None
            values = {name: given.pop(name, default) for name, default in own.items()}
            theirs(self, *args, **(changed | given | always))
            for name, value in values.items():
                setattr(self, name, value)

        # scikit-learn asks the signature which parameters there are.
        init.__signature__ = ours  # type: ignore[attr-defined]
        init.__qualname__ = f"{kind.__qualname__}.__init__"
        kind.__init__ = init  # type: ignore[misc]
        return kind

    return decorated


def _joined(
    known: Signature, fixed: Mapping[str, Any], changed: Mapping[str, Any], own: Mapping[str, Any]
) -> Signature:
    inherited = [
        each.replace(default=changed.get(name, each.default))
        for name, each in known.parameters.items()
        if name not in fixed
    ]
    more = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=_TYPES.get(name, Parameter.empty))
        for name, default in own.items()
    ]
    return known.replace(parameters=inherited + more)
