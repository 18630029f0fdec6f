"""``wrenml destroy``: takes a stack out of the account, with what wrenml wrote; it can be run again, too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from wrenml.deploy.account import Account, aws_failures
from wrenml.deploy.buckets import Objects
from wrenml.deploy.names import bucket_names, check_stack
from wrenml.deploy.records import Records
from wrenml.deploy.stack import CloudStack
from wrenml.deploy.waiting import Patience
from wrenml.observe.text import plural

__all__ = ["Remains", "destroy"]


@dataclass(frozen=True, slots=True)
class Remains:
    """What there is of a stack.

    Parameters
    ----------
    stack : bool
        Whether the stack itself is there.
    record : bool
        Whether clients find it.
    objects : mapping of str to int
        How many objects wrenml wrote, by prefix.
    buckets : list of str
        Those that are there.
    """

    stack: bool
    record: bool
    objects: Mapping[str, int] = field(default_factory=dict)
    buckets: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.stack or self.record or self.buckets)


def destroy(
    account: Account,
    stack: str,
    *,
    confirm: Callable[[Remains], bool],
    say: Callable[[str], None],
    patience: Patience | None = None,
) -> tuple[Remains, list[str] | None]:
    """Remove a stack.

    Parameters
    ----------
    account : Account
        Where it is.
    stack : str
        Its name.
    confirm : callable
        Is asked before anything is removed.
    say : callable
        Is told what happens.
    patience : Patience, optional
        How AWS is waited for.

    Returns
    -------
    remains : Remains
        What there was.
    left : list of str or None
        Buckets that stay because they hold what is not wrenml's; None if `confirm` said no.

    Raises
    ------
    ConfigError
        The name cannot be a stack's.
    WrenmlError
        AWS refused something, or failed.
    """
    with aws_failures():
        buckets = bucket_names(check_stack(stack), account.id, account.region)
        objects = Objects(account.client("s3"), buckets, account.id)
        records = Records(account.client("ssm"), stack)
        cloud = CloudStack(account.client("cloudformation"), stack, patience or Patience(), say)
        remains = Remains(cloud.exists(), records.read() is not None, objects.count(), objects.left_over())
        if remains and not confirm(remains):
            return remains, None
        # First, so that no client begins what is about to be removed.
        records.remove(root_key=False)
        if remains.objects:
            say(f"removing {plural(sum(remains.objects.values()), 'object')}")
            objects.empty()
        cloud.delete()
        left = objects.remove_buckets()
        records.remove(root_key=True)
        return remains, left
