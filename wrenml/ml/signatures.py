"""Classes that inherit from an estimator of scikit-learn, and have a few parameters more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from inspect import Parameter, signature
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
        inherited = signature(theirs).parameters
        own = {name: default for name, default in more.items() if name not in inherited}
        defaults = {name: default for name, default in more.items() if name in inherited}

        @wraps(theirs)
        def init(self: Any, *args: Any, **given: Any) -> None:
            for name in given:
                if name not in parameters:
                    raise TypeError(f"{kind.__name__}.__init__() got an unexpected keyword argument {name!r}")
            values = {name: given.pop(name, default) for name, default in own.items()}
            theirs(self, *args, **(defaults | given | always))
            for name, value in values.items():
                setattr(self, name, value)

        parameters = {
            name: each.replace(default=defaults.get(name, each.default))
            for name, each in inherited.items()
            if name not in always
        } | {
            name: Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=_TYPES.get(name, Parameter.empty))
            for name, default in own.items()
        }
        # scikit-learn asks the signature which parameters there are.
        init.__signature__ = signature(theirs).replace(parameters=list(parameters.values()))  # type: ignore[attr-defined]
        init.__qualname__ = f"{kind.__qualname__}.__init__"
        kind.__init__ = init  # type: ignore[misc]
        return kind

    return decorated
