"""``wrenml deploy``: every step looks at what is there first, so it can be run again whenever it was interrupted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from wrenml.aws.deployment import Deployment
from wrenml.deploy.account import Account, aws_failures
from wrenml.deploy.buckets import Objects
from wrenml.deploy.choices import Choices, local_choices
from wrenml.deploy.functions import Code, Functions
from wrenml.deploy.names import bucket_names, check_stack
from wrenml.deploy.package import Package, build
from wrenml.deploy.records import Records
from wrenml.deploy.stack import Change, CloudStack
from wrenml.deploy.template import choices_of, parameters, render
from wrenml.deploy.waiting import Patience
from wrenml.errors import ConfigError

__all__ = ["Plan", "Wanted", "deploy"]

_START_BY: Final = 120


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to deploy, and how.

    Parameters
    ----------
    stack : str
        The stack's name.
    choices : mapping of str to object
        Fields of `Choices` that were given; the others stay as they are, or fit this machine.
    requirements : str, optional
        A requirements file of what calls need too.
    cache : str
        A folder for wheels and packages.
    dry_run : bool
        Whether nothing is to be changed.
    """

    stack: str
    cache: str
    choices: Mapping[str, object] = field(default_factory=dict)
    requirements: str | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What deploying would do.

    Parameters
    ----------
    new : bool
        Whether there is no such stack yet.
    choices : Choices
        What it would be rendered from.
    changes : list of Change
        Of resources.
    package : Package
        The code.
    current : Deployment or None
        What clients use now.
    """

    new: bool
    choices: Choices
    changes: list[Change]
    package: Package
    current: Deployment | None

    @property
    def same_code(self) -> bool:
        """Whether clients use this very package already."""
        return self.current is not None and self.current.code_sha256 == self.package.code_sha256

    def versions(self) -> list[tuple[str, str, str]]:
        """Each distribution whose version changes: name, version before and after, empty for none."""
        before = {} if self.current is None else self.current.packages
        after = self.package.packages
        names = sorted({*before, *after})
        return [
            (name, before.get(name, ""), after.get(name, "")) for name in names if before.get(name) != after.get(name)
        ]


def deploy(
    account: Account,
    wanted: Wanted,
    *,
    confirm: Callable[[Plan], bool],
    say: Callable[[str], None],
    patience: Patience | None = None,
) -> tuple[Plan, Deployment | None]:
    """Bring a stack to what is wanted.

    Parameters
    ----------
    account : Account
        Where.
    wanted : Wanted
        What.
    confirm : callable
        Is asked before anything changes; not if nothing would.
    say : callable
        Is told what happens.
    patience : Patience, optional
        How AWS is waited for.

    Returns
    -------
    plan : Plan
        What was to be done.
    deployment : Deployment or None
        What clients use now; None for a dry run, or if `confirm` said no.

    Raises
    ------
    ConfigError
        Something wanted cannot be.
    WrenmlError
        AWS refused something, or failed.
    """
    with aws_failures():
        check_stack(wanted.stack)
        _refuse_own(wanted, account)
        return _Deploying(account, wanted, say, patience or Patience()).run(confirm)


def _refuse_own(wanted: Wanted, account: Account) -> None:
    own = bucket_names(wanted.stack, account.id, account.region)
    for name in ("read", "write"):
        urls = wanted.choices.get(name) or ()
        for url in urls if isinstance(urls, tuple) else ():
            if url.removeprefix("s3://").partition("/")[0] in own:
                raise ConfigError(f"--{name} {url}: calls have what they may have of the stack's own buckets already.")


class _Deploying:
    def __init__(self, account: Account, wanted: Wanted, say: Callable[[str], None], patience: Patience) -> None:
        self._account = account
        self._wanted = wanted
        self._say = say
        self._patience = patience
        self._buckets = bucket_names(wanted.stack, account.id, account.region)
        self._objects = Objects(account.client("s3"), self._buckets, account.id)
        self._records = Records(account.client("ssm"), wanted.stack)
        self._stack = CloudStack(account.client("cloudformation"), wanted.stack, patience, say)

    def run(self, confirm: Callable[[Plan], bool]) -> tuple[Plan, Deployment | None]:
        plan = self._plan()
        if self._wanted.dry_run:
            self._give_up(plan)
            return plan, None
        if (plan.changes or not plan.same_code) and not confirm(plan):
            self._give_up(plan)
            return plan, None
        if plan.changes:
            self._stack.apply()
        return plan, self._install(plan)

    def _plan(self) -> Plan:
        wanted = self._wanted
        exists = self._stack.exists()
        choices = self._choices(exists=exists)
        package = build(choices.python, choices.arch, wanted.cache, requirements=wanted.requirements, say=self._say)
        changes = self._changes(choices, exists=exists)
        return Plan(not exists, choices, changes, package, self._records.read())

    def _choices(self, *, exists: bool) -> Choices:
        here = local_choices()
        if exists:
            # The package is made of what is installed here, so its Python is this one again.
            here = replace(choices_of(self._stack.template()), python=here.python)
        return here.changed(self._wanted.choices)

    def _changes(self, choices: Choices, *, exists: bool) -> list[Change]:
        if not exists:
            left = self._objects.left_over()
            if left:
                raise ConfigError(
                    f"there is no stack {self._wanted.stack}, but {' and '.join(left)} of an earlier one: remove what "
                    f"is in it and it (aws s3 rb --force s3://{left[0]}), or deploy under another name: --stack NAME."
                )
        return self._stack.propose(render(choices), parameters(choices), new=not exists)

    def _give_up(self, plan: Plan) -> None:
        # Proposing a new stack leaves an empty one.
        if plan.new:
            self._stack.delete(aloud=False)
        else:
            self._stack.discard()

    def _install(self, plan: Plan) -> Deployment:
        choices, package, buckets = plan.choices, plan.package, self._buckets
        if self._records.ensure_root_key():
            self._say("made the root key")
        self._objects.upload(package, self._say)
        code = Code(buckets.jobs, package.key, package.code_sha256, choices.arch)
        functions = Functions(
            self._account.client("lambda"), self._wanted.stack, choices.memory_mb, self._patience, self._say
        )
        functions.update(code)
        alias = functions.publish(code, _START_BY, buckets.failures)
        deployment = Deployment(
            stack=self._wanted.stack,
            account=self._account.id,
            region=self._account.region,
            bucket=buckets.jobs,
            failures=buckets.failures,
            alias=alias,
            python=choices.python,
            arch=choices.arch,
            memory_mb=choices.memory_mb,
            start_by=_START_BY,
            concurrency=choices.max_concurrency,
            packages=package.packages,
            code_sha256=package.code_sha256,
            built=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        deployment = self._announce(deployment, plan.current)
        functions.prune(alias)
        self._objects.prune(package)
        return deployment

    def _announce(self, deployment: Deployment, current: Deployment | None) -> Deployment:
        """Write the record, last of all; where it would say the same, the one there is stays."""
        if current is not None and replace(deployment, built=current.built) == current:
            return current
        self._records.write(deployment)
        self._say(f"clients use {deployment.alias} from now on")
        return deployment
