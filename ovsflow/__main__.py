"""The `ovsflow` command.

Exit codes: 0 done, 1 it did not work, 2 the command line is wrong.  An error is one sentence on
stderr, with a mark under the column where the typed text stops making sense.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence

from ovsflow.cli import client
from ovsflow.cli.arguments import parser
from ovsflow.errors import OvsflowError, ParseError, UsageError
from ovsflow.switch.rundir import running


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    args = parser().parse_args(argv)
    try:
        return _dispatch(args)
    except ParseError as error:
        _complain(str(error))
        if error.column is not None:
            print(f"  {error.text}\n  {' ' * error.column}^", file=sys.stderr)
        return 2
    except UsageError as error:
        _complain(str(error))
        return 2
    except OvsflowError as error:
        _complain(str(error))
        return 1
    except BrokenPipeError:
        # Whoever read the output has seen enough.
        sys.stderr.close()
        return 1
    except KeyboardInterrupt:
        return 130


def _complain(sentence: str) -> None:
    print(f"ovsflow: {sentence}", file=sys.stderr)


def _dispatch(args: argparse.Namespace) -> int:
    if args.command == "run":
        from ovsflow.cli.serve import run

        return run(args)
    if args.command == "controller":
        return _controller(args)
    if args.command == "list":
        answers = [client.ask(path, "show") for path in running().values()]
        return _print(args, "switches", answers)
    path = client.find(args.bridge)
    if args.command == "port":
        return _port(args)
    if args.command == "log":
        client.ask(path, "log", level=args.level)
        return 0
    if args.command == "trace":
        return _print(args, "trace", client.ask(path, "trace", flow=args.flow, frame=args.frame))
    if args.command == "stats" and args.cycles:
        return _stages(args)
    return _print(args, args.command, client.ask(path, args.command))


def _stages(args: argparse.Namespace) -> int:
    """Has the workers measure their stages for a while."""
    path = client.find(args.bridge)
    client.ask(path, "stages", measure="on")
    try:
        time.sleep(max(0.0, args.seconds))
    finally:
        answer = client.ask(path, "stages", measure="off")
    return _print(args, "stages", answer)


def _port(args: argparse.Namespace) -> int:
    path = client.find(args.bridge)
    if args.action == "add":
        answer = client.ask(path, "port-add", spec=args.spec)
        return _print(args, "ports", [answer]) if args.json else 0
    if args.action == "del":
        client.ask(path, "port-del", port=args.port)
        return 0
    return _print(args, "ports", client.ask(path, "port-list"))


def _controller(args: argparse.Namespace) -> int:
    import logging

    from ovsflow.controller import launcher

    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    settings = {}
    for pair in args.set:
        key, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"--set wants KEY=VALUE, not '{pair}'")
        settings[key] = value
    launcher.run(args.application, args.host, args.listen, settings)
    return 0


def _print(args: argparse.Namespace, view: str, answer: object) -> int:
    if args.json:
        print(json.dumps(answer, indent=2))
        return 0
    from rich.console import Console

    from ovsflow.cli import views

    wide = None if sys.stdout.isatty() else 160
    getattr(views, view)(Console(width=wide, soft_wrap=True, emoji=False), answer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
