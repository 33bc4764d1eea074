"""`unrolled`: the way in."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit code: 0 done, 1 it failed, 2 a mistake in what was asked, 130 stopped."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in words[:1]
    if as_json:
        words.pop(0)

    from unrolled.cli import parse
    from unrolled.errors import UnrolledError

    if words[:1] == ["--version"]:
        from unrolled import __version__

        print(__version__)
        return 0
    try:
        if not words or words[0] in ("-h", "--help", "help"):
            print(parse.top_help())
            return 0
        action, rest = parse.split_command(words)
        request = parse.parse(action, rest)
        from unrolled.cli.show import show

        return show(action, request, as_json)
    except UnrolledError as error:
        print(f"unrolled: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("unrolled: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone (`| head`): nothing more to say, and nothing to say it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
