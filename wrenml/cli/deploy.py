"""``wrenml deploy`` and ``wrenml destroy``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from functools import partial

from wrenml.aws.deployment import Deployment
from wrenml.cli.exits import Exit
from wrenml.config import Settings, load_settings, root_key_path
from wrenml.deploy.account import Account
from wrenml.deploy.choices import local_choices
from wrenml.deploy.deploying import Plan, Wanted, deploy
from wrenml.deploy.destroying import Remains, destroy
from wrenml.deploy.package import MAX_BYTES
from wrenml.deploy.template import render
from wrenml.deploy.usersettings import change_settings, read_settings
from wrenml.errors import ConfigError
from wrenml.folders import working_dir
from wrenml.observe.text import plural

__all__ = ["run_deploy", "run_destroy"]

_MB = 1e6
_ALARM = 0.10  # dollars a month
_SIGNS = {"Add": "+", "Modify": "~", "Remove": "-"}


def run_deploy(arguments: argparse.Namespace) -> int:
    """Bring the stack to what the arguments say."""
    choices = _choices(arguments)
    if arguments.template_only:
        sys.stdout.write(render(local_choices().changed(choices)))
        return Exit.DONE
    settings = load_settings(os.environ, working_dir())
    stack, account = _where(arguments, settings)
    wanted = Wanted(
        stack=stack,
        cache=os.path.join(settings.cache_dir, "packages"),
        choices=choices,
        requirements=arguments.requirements,
        dry_run=arguments.dry_run,
    )
    say = partial(print, file=sys.stderr, flush=True)
    plan, deployment = deploy(account, wanted, confirm=partial(_agrees, arguments, stack, account), say=say)
    if arguments.dry_run:
        _show_plan(stack, account, plan)
    elif deployment is None:
        return Exit.INTERRUPTED
    else:
        _use(deployment, arguments.profile or settings.profile, settings)
    if arguments.json:
        shown = {"new": plan.new, "changes": [change._asdict() for change in plan.changes]}
        sys.stdout.write(f"{json.dumps(shown | {'deployment': deployment and asdict(deployment)})}\n")
    elif deployment is not None:
        _show(deployment, plan, settings)
    return Exit.DONE


def _choices(arguments: argparse.Namespace) -> dict[str, object]:
    """What was given; what was not stays as it is deployed."""
    given: dict[str, object] = {}
    for name in ("python", "arch", "memory_mb", "alarms"):
        if getattr(arguments, name) is not None:
            given[name] = getattr(arguments, name)
    for name in ("read", "write", "policies"):
        if getattr(arguments, name) is not None:
            given[name] = tuple(value for value in getattr(arguments, name) if value)
    if arguments.max_concurrency is not None:
        given["max_concurrency"] = None if arguments.max_concurrency < 0 else arguments.max_concurrency
    return given


def _where(arguments: argparse.Namespace, settings: Settings) -> tuple[str, Account]:
    account = Account(arguments.profile or settings.profile, arguments.region or settings.region)
    return arguments.stack or settings.stack, account


def _agrees(arguments: argparse.Namespace, stack: str, account: Account, plan: Plan) -> bool:
    _show_plan(stack, account, plan)
    return arguments.yes or _answered_yes("Deploy this?", "deploy")


def _answered_yes(question: str, command: str) -> bool:
    if not sys.stdin.isatty():
        raise ConfigError(f"there is no terminal to ask in: wrenml {command} --yes goes ahead without asking.")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _show_plan(stack: str, account: Account, plan: Plan) -> None:
    state = "new" if plan.new else plural(len(plan.changes), "change") if plan.changes else "no changes"
    lines = [f"stack {stack} in {account.region}, account {account.id}: {state}"]
    for change in plan.changes:
        note = "  made anew: what it holds is lost" if change.replaced else ""
        lines.append(f"  {_SIGNS.get(change.action, '?')} {change.kind}  {change.name}{note}")
    package = plan.package
    if plan.same_code:
        lines.append("code: the same")
    else:
        lines.append(
            f"code: {package.size / _MB:,.0f} MB, {package.unpacked / _MB:,.0f} MB unpacked of "
            f"{MAX_BYTES / _MB:,.0f} MB that Lambda takes"
        )
    lines += [f"  {line}" for line in _versions(plan)]
    sys.stderr.write("\n".join([*lines, ""]))


def _versions(plan: Plan) -> Iterable[str]:
    for name, before, after in plan.versions():
        if not before:
            yield f"+ {name} {after}"
        elif after:
            yield f"~ {name} {before} → {after}"
        else:
            yield f"- {name} {before}: calls can no longer import it; was it in --requirements?"


def _use(deployment: Deployment, profile: str | None, settings: Settings) -> None:
    """Have `default_executor` use what was deployed."""
    values = {"backend": "aws", "stack": deployment.stack, "region": deployment.region, "profile": profile}
    change_settings(_user_file(settings), values)


def _user_file(settings: Settings) -> str:
    return os.path.join(settings.config_dir, "config.toml")


def _show(deployment: Deployment, plan: Plan, settings: Settings) -> None:
    sizes = ", ".join(f"{size:,} MB" for size in deployment.memory_mb)
    idle = f"${_ALARM * 2 * len(deployment.memory_mb):.2f} a month, for its alarms" if plan.choices.alarms else "$0"
    built = f"python{deployment.python}, {deployment.arch}, functions of {sizes}"
    lines = [
        f"{deployment.stack} {deployment.alias} in {deployment.region}: {built}",
        f"Idle it costs {idle}; you pay for calls, and for what they leave in the bucket until it expires.",
    ]
    now = load_settings(os.environ, working_dir())
    if (now.backend, now.stack, now.region) == ("aws", deployment.stack, deployment.region):
        lines.append(f"{_user_file(settings)} says so: default_executor() runs calls there. Next: wrenml demo --quick")
    else:
        lines.append(
            f"{_user_file(settings)} says so, but here {now.why} has the last word: default_executor() uses "
            f"{now.backend}, stack {now.stack}. Next: WRENML_BACKEND=aws WRENML_STACK={deployment.stack} wrenml demo"
        )
    sys.stdout.write("\n".join([*lines, ""]))


def run_destroy(arguments: argparse.Namespace) -> int:
    """Take the stack out of the account."""
    settings = load_settings(os.environ, working_dir())
    stack, account = _where(arguments, settings)

    def agrees(remains: Remains) -> bool:
        _show_remains(stack, account, remains)
        return arguments.yes or _answered_yes("Remove all of this for good?", "destroy")

    remains, left = destroy(account, stack, confirm=agrees, say=partial(print, file=sys.stderr, flush=True))
    if left is None:
        return Exit.INTERRUPTED
    _forget(stack, account, settings)
    if arguments.json:
        shown = {"stack": stack, "found": bool(remains), "objects": dict(remains.objects), "left": left}
        sys.stdout.write(f"{json.dumps(shown)}\n")
        return Exit.DONE
    sys.stdout.write(f"{stack} is gone from {account.region}.\n" if remains else f"there was no stack {stack}.\n")
    for bucket in left:
        sys.stdout.write(
            f"s3://{bucket} stays: it holds what is not wrenml's. See: aws s3 ls s3://{bucket}/, "
            f"and remove it with: aws s3 rb --force s3://{bucket}\n"
        )
    return Exit.DONE


def _show_remains(stack: str, account: Account, remains: Remains) -> None:
    lines = [f"stack {stack} in {account.region}, account {account.id}:"]
    lines += [f"  {plural(count, 'object')} under {prefix}" for prefix, count in remains.objects.items()]
    lines += [f"  bucket {bucket}" for bucket in remains.buckets]
    lines += ["  its functions, role, policies and log"] if remains.stack else []
    lines += ["  its record and root key: no job of it can be read any more"]
    sys.stderr.write("\n".join([*lines, ""]))


def _forget(stack: str, account: Account, settings: Settings) -> None:
    """Have `default_executor` run calls here again, and drop the key."""
    path = _user_file(settings)
    found = read_settings(path)
    if found.get("backend") == "aws" and found.get("stack", settings.stack) == stack:
        change_settings(path, {"backend": "local", "stack": None, "region": None, "profile": None})
    with suppress(FileNotFoundError):
        os.unlink(root_key_path(os.environ, f"{account.id}-{account.region}-{stack}"))
