"""The command line: options and messages, no computation.

A command imports what it needs when it runs: help and shell completion load neither NumPy nor OpenCV nor PyTorch.

May import `report` and what is below it.
"""

import contextlib
import errno
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from edgekit import __version__
from edgekit.batch.engines.interrupts import handle_signals, ignore_signals
from edgekit.cli.terminal import complain, show_traceback, show_usage
from edgekit.common.choices import did_you_mean
from edgekit.errors import EdgekitError
from edgekit.operators.table import OPERATORS

#: The commands in `edge_commands`.
_EDGES = ("canny", "detect", "threshold")

#: Exit statuses other than 0: an item failed; wrong usage; 128 plus the number of a signal, such as 130 after Ctrl-C.
FAILED, USAGE, SIGNALLED = 1, 2, 128


def _groups() -> dict[str, list[str]]:
    """Return the names of the commands by the headings of the help page."""
    return {
        "First derivatives": [name for name, operator in OPERATORS.items() if operator.directed],
        "Second derivatives": [name for name, operator in OPERATORS.items() if not operator.directed],
        "Kernels": ["filter", "kernels", "learn"],
        "Edges and regions": [*_EDGES],
        "Sharpness and focus": ["score", "pick", "focus"],
        "Measurements": ["contours", "mtf"],
        "Files": ["apply", "undo", "info"],
    }


class CommandGroup(click.Group):
    """All commands. Each is created when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for names in _groups().values() for name in names]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, self.list_commands(ctx)))
        for heading, names in _groups().items():
            commands = [(name, self.get_command(ctx, name)) for name in names]
            with formatter.section(heading):
                formatter.write_dl(
                    [(name.ljust(width), command.short_help or "") for name, command in commands if command]
                )

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in OPERATORS or cmd_name == "filter":
            from edgekit.cli.filter_commands import filter_command

            return filter_command(OPERATORS.get(cmd_name))
        if cmd_name in _EDGES:
            from edgekit.cli.edge_commands import edge_command

            return edge_command(cmd_name)
        if cmd_name in self.list_commands(ctx):
            module = importlib.import_module(f"edgekit.cli.{cmd_name}_command")
            command: click.Command = getattr(module, cmd_name)
            return command
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, known = args[0], self.list_commands(ctx)
        if name not in known and not name.startswith("-") and not ctx.resilient_parsing:
            ctx.fail(f"No such command {name!r}.{did_you_mean(name, known)}")
        return super().resolve_command(ctx, args)

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> Any:
        """Run a command, print its error without a traceback, and exit with one of the statuses."""
        # OpenCV would report files that another library then reads. edgekit reports those that none can read.
        os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
        arguments = sys.argv[1:] if args is None else list(args)
        debug = "--debug" in arguments
        try:
            status = super().main(args, *rest, **{**extra, "standalone_mode": False})
        except click.ClickException as error:
            show_usage(error)
            status = error.exit_code
        except EdgekitError as error:
            if debug:
                show_traceback(error)
            complain(error)
            status = USAGE
        except (click.Abort, KeyboardInterrupt) as end:
            # click raises Abort in place of KeyboardInterrupt.
            number = getattr(end.__cause__ or end, "number", signal.SIGINT)
            status = SIGNALLED + number
            # The terminal may be gone.
            with contextlib.suppress(OSError):
                complain("interrupted" if number == signal.SIGINT else f"interrupted by {signal.Signals(number).name}")
        except BrokenPipeError:
            # The reader of the output is gone. Flushing the rest at exit would fail again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            status = FAILED
        except OSError as error:
            if error.errno == errno.EIO and error.filename is None and sys.platform != "win32":
                # The terminal was closed, and its signal has not arrived yet.
                status = SIGNALLED + signal.SIGHUP
            else:
                if debug:
                    show_traceback(error)
                complain(f"{error.filename or 'standard output'}: {error.strerror or error}")
                status = FAILED
        sys.exit(status if isinstance(status, int) else 0)


def _silence_decoders() -> None:
    """Hide what libpng, libjpeg and libtiff print about damaged files: edgekit prints its own message.

    They write to file descriptor 2 from any thread. Python's sys.stderr gets a copy of the descriptor.
    """
    try:
        stderr = os.fdopen(os.dup(2), "w", buffering=1, encoding=sys.stderr.encoding, errors=sys.stderr.errors)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    except (OSError, AttributeError):  # There is no standard error.
        return
    sys.stderr = stderr


def run() -> NoReturn:
    """Run the command line as a process, and exit without the interpreter's cleanup.

    With NumPy and OpenCV loaded the cleanup takes longer than most images. No file is open any more. Only
    multiprocessing must clean up: it removes the folder of the sockets of its processes.
    """
    status = 0
    if "--debug" not in sys.argv:
        _silence_decoders()
    handle_signals()
    try:
        main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else FAILED
    except KeyboardInterrupt as interrupt:
        # A second signal, after the one that ended the run.
        status = SIGNALLED + getattr(interrupt, "number", signal.SIGINT)
    ignore_signals()
    if (multiprocessing_util := sys.modules.get("multiprocessing.util")) is not None:
        multiprocessing_util._exit_function()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        # The reader or the terminal is gone.
        status = status or FAILED
    os._exit(status)


@click.command(
    cls=CommandGroup,
    epilog="Run edgekit COMMAND --help for the options of a command.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="edgekit")
def main() -> None:
    """Image gradients, edges and sharpness.

    \b
    Examples:
      edgekit sobel photo.jpg --angle 45
      edgekit detect photos/ -o edges/
      edgekit score photos/ -o scores.csv
    """
