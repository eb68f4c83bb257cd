"""What ``score`` and ``apply`` share: files are moved, copied and linked by their verdicts."""

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli.options import SORT
from edgekit.cli.output import RunOutput
from edgekit.cli.terminal import complain
from edgekit.common.escaping import escape_controls, unambiguous_path

if TYPE_CHECKING:
    from edgekit.batch.move_log import MoveLog
    from edgekit.batch.moving import MoveOutcome
    from edgekit.batch.sorting import Earlier, Judged, Plan, Rule, Transfer


def rules_of(values: dict[str, Any]) -> "list[Rule]":
    """Return what the options say about each verdict.

    Raises
    ------
    click.UsageError
        If two options are about the same verdict.
    ParameterError
        If a folder is in a store.
    """
    from edgekit.batch.sorting import SORTED, VERBS, Rule
    from edgekit.errors import ParameterError
    from edgekit.io.urls import is_url, redacted

    rules: dict[str, Rule] = {}
    for verb in VERBS:
        for verdict in SORTED:
            folder = values[f"{verb}_{verdict}"]
            if folder is None:
                continue
            rule = Rule(verb, verdict, Path(folder).absolute())
            if verdict in rules:
                raise click.UsageError(f"{rules[verdict].option} and {rule.option} exclude each other.")
            if is_url(folder):
                raise ParameterError(f"{redacted(folder)}: {rule.option} needs a folder on this machine; choose one")
            rules[verdict] = rule
    if values["dry_run"] and not rules:
        raise click.UsageError(f"--dry-run shows what an option such as --{SORT[0].replace('_', '-')} DIR would do.")
    return list(rules.values())


def check_folders(inputs: tuple[str, ...], rules: "list[Rule]") -> None:
    """Raise if all inputs are in a folder that receives files."""
    from edgekit.errors import ParameterError
    from edgekit.io.stores import canonical_path

    found = [Path(canonical_path(name)) for name in inputs]
    for rule in rules:
        if all(path.is_relative_to(canonical_path(rule.folder)) for path in found):
            folder = _shown(rule.folder)
            raise ParameterError(f"{folder}: {rule.option} needs a folder outside of the inputs, or inside of them")


class Sorter:
    """Sorts files by rules, with a log in each folder that receives files; a context manager.

    Parameters
    ----------
    rules : list of Rule
    values : dict
        The values of the options, by name.
    names_done : bool
        With ``--json``, print a line for each file that was sorted. Other commands print rows.
    """

    def __init__(self, rules: "list[Rule]", values: dict[str, Any], *, names_done: bool = False) -> None:
        self._rules, self._values = rules, values
        self._names_done = names_done and values["as_json"]
        self._shown = RunOutput(quiet=values["quiet"], debug=values["debug"], unit="photo")
        self._opened = ExitStack()
        self._logs: dict[Path, MoveLog] = {}
        self._pending: list[Plan] = []

    def __enter__(self) -> "Sorter":
        from edgekit.batch.move_log import NAME, MoveLog

        dry_run = self._values["dry_run"]
        with ExitStack() as opened:
            for folder in {rule.folder: None for rule in self._rules}:
                if not dry_run or (folder / NAME).is_file():
                    self._logs[folder] = opened.enter_context(MoveLog(folder, read_only=dry_run))
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def resume(self) -> "list[Transfer]":
        """Complete what an interrupted run had planned, and return the files that it moved."""
        from edgekit.batch.moving import remaining, resume

        plans = [plan for log in self._logs.values() for plan in log.pending()]
        moves = [one for plan in plans for one in plan.transfers if one.verb == "move"]
        if plans:
            complain(f"an earlier run was interrupted; {len(plans)} photographs that it had planned to sort come first")
        if self._values["dry_run"]:
            self._pending = [plan._replace(transfers=remaining(plan)) for plan in plans]
            left = {one for plan in self._pending for one in plan.transfers}
            return [one for one in moves if one not in left]
        for log in self._logs.values():
            self._run(resume(log, _engine()), 0)
        return moves

    def sort(self, judged: "Iterable[Judged]") -> int:
        """Move, copy and link files, or print what would be done; return the exit status."""
        from edgekit.batch.moving import carry_out
        from edgekit.batch.sorting import photographs, plan

        # In a dry run what an interrupted run had planned is still to be done.
        pending = {(one.verb, one.source): one.target for plan in self._pending for one in plan.transfers}
        verbs = {rule.verdict: rule.verb for rule in self._rules}
        found = (p for p in photographs(judged) if (verbs.get(p.verdict), p.files[0].absolute()) not in pending)
        plans = list(plan(found, self._rules, self._find_earlier, pending.values()))
        if self._values["dry_run"]:
            return self._show([*self._pending, *plans])
        for folder, log in self._logs.items():
            own = [one for one in plans if one.folder == folder]
            self._run(carry_out(own, log, _engine()), len(own))
        tally = self._shown.tally
        self._shown.summarize([(tally.succeeded, "sorted"), (tally.failed, "not sorted")], (), none="nothing to sort")
        if tally.succeeded and not self._values["quiet"]:
            for folder in {rule.folder: None for rule in self._rules}:
                complain(f"to put all back: edgekit undo {escape_controls(_shown(folder))}")
        return tally.exit_status

    def _find_earlier(self, rule: "Rule", source: Path, stat: Any) -> "Earlier | None":
        log = self._logs.get(rule.folder)
        return None if log is None else log.find(rule, source, stat)

    def _run(self, outcomes: "Iterator[MoveOutcome]", total: int) -> None:
        from edgekit.batch.runner import Status

        self._shown.expect(total)
        with self._shown:
            for outcome in outcomes:
                self._shown.add(outcome)
                if self._names_done and outcome.status != Status.FAILED:
                    self._shown.progress.clear()
                    _print(outcome.plan, as_json=True)

    def _show(self, plans: "list[Plan]") -> int:
        """Print what would be done."""
        for plan in plans:
            if plan.reason:
                complain(plan.reason)
            _print(plan, as_json=self._values["as_json"])
        return 0


def _print(plan: "Plan", *, as_json: bool) -> None:
    for one in plan.transfers:
        click.echo(_line(one, as_json=as_json))


def _line(one: "Transfer", *, as_json: bool) -> str:
    source, target = unambiguous_path(one.path), unambiguous_path(_shown(one.target))
    if as_json:
        return json.dumps({"action": one.verb, "from": source, "to": target})
    return f"{one.verb} {escape_controls(source)} -> {escape_controls(target)}"


def _shown(path: Path) -> str:
    """Return an absolute path as users write it: relative, if it is below the current folder."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _engine() -> Any:
    from edgekit.batch.engines.local import Threads

    # One at a time: renaming takes no time, and two copies at once are not faster on most disks.
    return Threads(1)
