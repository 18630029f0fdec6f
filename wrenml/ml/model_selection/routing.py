"""Which parameters of a cross-validation go to the estimator, the splitter and the scorer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn import get_config
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.utils import Bunch
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing

__all__ = ["check_groups", "route"]

_METHOD = {"splitter": "split", "estimator": "fit", "scorer": "score"}


def _enabled() -> bool:
    return bool(get_config()["enable_metadata_routing"])


def check_groups(groups: Any) -> None:
    """Refuse `groups` where metadata routing is enabled: they go through `params` then.

    Raises
    ------
    ValueError
        With scikit-learn's text.
    """
    if groups is not None and _enabled():
        raise ValueError(
            "`groups` can only be passed if metadata routing is not enabled via"
            " `sklearn.set_config(enable_metadata_routing=True)`. When routing is"
            " enabled, pass `groups` alongside other metadata via the `params` argument"
            " instead."
        )


def route(
    owner: str, params: Mapping[str, Any] | None, groups: Any, *, also: tuple[str, ...] = (), **parts: Any
) -> Bunch:
    """Tell which parameters go where.

    Parameters
    ----------
    owner : str
        The function that was called.
    params : mapping of str to object, optional
        What it was given.
    groups : array, optional
        For the splitter, where routing is not enabled.
    also : tuple of str
        Further methods of the estimator that get parameters. Default: `fit` only.
    **parts
        ``estimator``, ``splitter`` and, where there is one, ``scorer``.

    Returns
    -------
    Bunch
        Of bunches: ``estimator.fit``, ``splitter.split``, ``scorer.score``.

    Raises
    ------
    UnsetMetadataPassedError
        If a parameter is neither requested nor refused by a part that may take it.
    """
    params = dict(params or {})
    if not _enabled():
        return Bunch(
            estimator=Bunch(fit=params, **dict.fromkeys(also, params)),
            splitter=Bunch(split={"groups": groups}),
            scorer=Bunch(score={}),
        )
    router = MetadataRouter(owner=owner)
    for name, part in parts.items():
        mapping = MethodMapping().add(caller="fit", callee=_METHOD[name])
        for method in also if name == "estimator" else ():
            mapping.add(caller="fit", callee=method)
        router.add(**{name: part}, method_mapping=mapping)
    try:
        return process_routing(router, "fit", **params)
    except UnsetMetadataPassedError as error:
        # It would speak of `fit`, which the user did not call.
        raise UnsetMetadataPassedError(
            message=str(error).replace(f"{owner}.fit", owner),
            unrequested_params=error.unrequested_params,
            routed_params=error.routed_params,
        ) from error
