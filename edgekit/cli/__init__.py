"""The command line: options and messages, no arithmetic. Each command imports what it needs when it runs.

``edgekit --help`` and shell completion load neither NumPy nor OpenCV nor torch.
"""

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
from edgekit.common.names import suggestion
from edgekit.errors import EdgekitError
from edgekit.operators.table import OPERATORS

#: The commands that find edges.
EDGES = ("canny", "threshold", "detect")

#: The rest, each in a module of its own.
_OTHERS = ("pick", "score", "focus", "learn", "kernels")

#: Exit statuses beside 0: an item failed, wrong usage; 128 and its number after a signal, such as 130 after Ctrl-C.
FAILED, USAGE, SIGNALLED = 1, 2, 128


class Commands(click.Group):
    """Commands made when they are asked for: one for each operator's row, and the rest by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*OPERATORS, "filter", *EDGES, *_OTHERS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in OPERATORS or cmd_name == "filter":
            from edgekit.cli.filter_commands import filter_command

            return filter_command(OPERATORS.get(cmd_name))
        if cmd_name in EDGES:
            from edgekit.cli.edge_commands import edge_command

            return edge_command(cmd_name)
        if cmd_name in _OTHERS:
            module = importlib.import_module(f"edgekit.cli.{cmd_name}_command")
            command: click.Command = getattr(module, cmd_name)
            return command
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, known = args[0], self.list_commands(ctx)
        if name not in known and not name.startswith("-") and not ctx.resilient_parsing:
            ctx.fail(f"No such command {name!r}.{suggestion(name, known)}")
        return super().resolve_command(ctx, args)

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> Any:
        """Run and exit with one of the statuses; no error of ours shows a traceback."""
        # OpenCV tells of files that the readers behind it then read; what none can read has its own message.
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
            complain("interrupted" if number == signal.SIGINT else f"interrupted by {signal.Signals(number).name}")
            status = SIGNALLED + number
        except BrokenPipeError:
            # Who read our output has left; what Python still holds for it would fail again at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            status = FAILED
        except OSError as error:
            if debug:
                show_traceback(error)
            complain(f"{error.filename or 'standard output'}: {error.strerror or error}")
            status = FAILED
        sys.exit(status if isinstance(status, int) else 0)


def _silence_decoders() -> None:
    """Keep what libpng, libjpeg and libtiff print of damaged files from the user, who is told once, by us.

    They write to the descriptor itself, from any thread; Python's own messages take a copy of it.
    """
    try:
        own = os.fdopen(os.dup(2), "w", buffering=1, encoding=sys.stderr.encoding, errors=sys.stderr.errors)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    except (OSError, AttributeError):  # There is none.
        return
    sys.stderr = own


def run() -> NoReturn:
    """Run as a process of its own, and leave it at once.

    Nothing is open by now; taking the interpreter apart, with all of NumPy and OpenCV in it, would
    take longer than most images. Worker processes had a folder for their sockets, which multiprocessing removes.
    """
    status = 0
    if "--debug" not in sys.argv:
        _silence_decoders()
    handle_signals()
    try:
        main()
    except SystemExit as leave:
        status = leave.code if isinstance(leave.code, int) else FAILED
    except KeyboardInterrupt as end:
        # Another signal, after the one that ended the run.
        status = SIGNALLED + getattr(end, "number", signal.SIGINT)
    ignore_signals()
    if (workers := sys.modules.get("multiprocessing.util")) is not None:
        workers._exit_function()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        status = FAILED
    os._exit(status)


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="edgekit")
def main() -> None:
    """Image gradients, edges and sharpness.

    \b
      edgekit sobel photo.jpg --angle 45
      edgekit gaussian photos/ --sigma 2 -o gradients/
      edgekit detect photos/ -o edges/
      edgekit kernels sobel --angle 45
    """
