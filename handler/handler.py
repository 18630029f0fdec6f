"""The Lambda entry point: ``handler.handle`` runs wrenml's requests."""

from __future__ import annotations

from typing import Any

from wrenml.worker.remote import Remote

# A new environment has more CPU while it is loading, so the child starts here, not at the first request.
_remote = Remote.on_lambda()


def handle(event: dict[str, object], context: Any) -> dict[str, object]:  # noqa: ANN401  # made by Lambda's runtime
    """Run a request; its outcomes are in storage, the answer holds counts."""
    return _remote.handle(event, context.get_remaining_time_in_millis)
