"""`unrolled`: the way in."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

STOPPED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit code: 0 done, 1 it failed, 2 a mistake in what was asked, 130 stopped.

    An error that nobody foresaw keeps its traceback.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    # What no terminal of this encoding can show is written as an escape, not as a traceback.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = _run(words)
        # Here, and not when Python ends: a reader who has gone is met below.
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("unrolled: stopped", file=sys.stderr)
        return STOPPED
    except BrokenPipeError:
        # Whoever read our output has gone (`| head`): nothing more to say, and nothing to say it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _run(words: list[str]) -> int:
    from unrolled.errors import UnrolledError

    as_json = words[:1] == ["--json"]
    if as_json:
        words = words[1:]
    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]
    try:
        if not words or words[0] in {"-h", "--help"}:
            from unrolled.cli.help import top_help

            print(top_help())
            return 0
        if words[0] == "--version":
            from unrolled import __version__

            print(__version__)
            return 0
        from unrolled.cli import parse
        from unrolled.cli.help import group_help
        from unrolled.cli.show import show

        action, rest = parse.split_command(words)
        if action is None:
            print(group_help(words[0]))
            return 0
        return show(action, parse.parse(action, rest), as_json)
    except UnrolledError as error:
        # What was printed so far stands before what went wrong.
        sys.stdout.flush()
        print(f"unrolled: {' '.join(str(error).split())}", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
