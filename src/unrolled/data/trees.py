"""Phrase-structure trees: read from brackets, written as one line, and as a sequence of steps without their words.

    (S (NP (PRP She)) (VP (VBZ reads) (NP (NNS books))))          what a file holds
    (S (NP PRP ) (VP VBZ (NP NNS ) ) )                             as steps: open a phrase, take a word, close

The second is the linear form of Vinyals et al. 2014 (arXiv:1412.7449), with the parts of speech left in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from unrolled.data import reading
from unrolled.errors import DataError

#: The step that closes the phrase that was opened last.
CLOSE = ")"
#: What stands above a whole sentence in some files, and is no phrase.
ROOTS = frozenset({"", "ROOT", "TOP"})
#: Something that stands in no word: a trace of what was moved.
_TRACE = "-NONE-"
_TOKEN = re.compile(r"[()]|[^\s()]+")


@dataclass(frozen=True)
class Tree:
    """A phrase, or a part of speech over one word.

    label: "NP". children: phrases; none over a word. word: of a part of speech, else empty.
    """

    label: str
    children: tuple[Tree, ...] = ()
    word: str = ""

    def leaves(self) -> Iterator[Tree]:
        """The parts of speech with their words, from left to right."""
        if not self.children:
            yield self
        for child in self.children:
            yield from child.leaves()

    def words(self) -> list[str]:
        """From left to right."""
        return [leaf.word for leaf in self.leaves()]

    def __str__(self) -> str:
        """In brackets, on one line."""
        inside = " ".join(map(str, self.children)) or self.word
        return f"({self.label} {inside})"


@dataclass
class _Open:
    label: str
    line: int
    children: list[Tree] = field(default_factory=list)
    words: list[str] = field(default_factory=list)


def read_trees(text: str, name: str) -> list[Tree]:
    """Every tree of a text, one after the other, over any number of lines.

    name: the file's, for messages. DataError with the line where brackets do not fit, a phrase is empty, or a word
    stands beside phrases.
    """
    trees: list[Tree] = []
    stack: list[_Open] = []
    for line, row in enumerate(reading.split_lines(text), 1):
        place = f"{name}, line {line:,}"
        tokens = _TOKEN.findall(row)
        for number, token in enumerate(tokens):
            if token == "(":
                following = tokens[number + 1] if number + 1 < len(tokens) else "("
                stack.append(_Open("" if following in "()" else following, line))
            elif token == ")":
                if not stack:
                    raise DataError(f"{place}: a bracket closes that none has opened")
                tree = _closed(stack.pop(), place)
                (stack[-1].children if stack else trees).append(tree)
            elif number and tokens[number - 1] == "(":
                continue  # the label, which has been read
            elif not stack:
                raise DataError(f"{place}: {token!r} stands outside of all brackets, where a tree was expected")
            else:
                stack[-1].words.append(token)
    if stack:
        raise DataError(f"{name}, line {stack[0].line:,}: a bracket that opens here is never closed")
    if not trees:
        raise DataError(f"{name}: no tree in it, where trees in brackets were expected: name another file")
    return trees


def _closed(one: _Open, place: str) -> Tree:
    if one.children and one.words:
        raise DataError(f"{place}: {one.words[0]!r} stands beside phrases: give it a part of speech of its own")
    if len(one.words) > 1:
        raise DataError(
            f"{place}: {one.words[0]!r} and {one.words[1]!r} under one part of speech: each word has its own"
        )
    if not one.children and not one.words:
        raise DataError(f"{place}: an empty phrase ({one.label}), where phrases or a word were expected")
    return Tree(one.label, tuple(one.children), one.words[0] if one.words else "")


def cleaned(tree: Tree) -> Tree | None:
    """Without what stands above the sentence, without traces, and with phrases called by their kind alone.

    NP-SBJ, NP=2 and NP|x become NP; a part of speech such as -LRB- stays. None where no word is left.
    """
    if not tree.children:
        return None if tree.label == _TRACE else tree
    children = tuple(kept for child in tree.children if (kept := cleaned(child)) is not None)
    if not children:
        return None
    if tree.label in ROOTS:
        # A sentence that is several phrases, or a word alone, still has something above them.
        return children[0] if len(children) == 1 and children[0].children else Tree("ROOT", children)
    return Tree(re.split("[-=|]", tree.label)[0] or tree.label, children)


def steps(tree: Tree) -> list[str]:
    """The tree as steps: "(NP" opens a phrase, "NN" takes the next word, a noun, CLOSE closes what was opened last."""
    if not tree.children:
        return [tree.label]
    return [f"({tree.label}", *(step for child in tree.children for step in steps(child)), CLOSE]


def opens(step: str) -> bool:
    """Whether a step opens a phrase."""
    return step.startswith("(")


def takes(step: str) -> bool:
    """Whether a step takes the next word."""
    return step != CLOSE and not opens(step)


def from_steps(taken: Sequence[str], words: Sequence[str]) -> Tree:
    """The tree of these steps over these words.

    ValueError, which says what is wrong, where the steps are no tree over exactly these words.
    """
    stack: list[_Open] = []
    done: list[Tree] = []
    taken_words = 0
    for step in taken:
        if done:
            raise ValueError(f"{step!r} comes after the whole tree was closed")
        if opens(step):
            stack.append(_Open(step.removeprefix("("), 0))
        elif step == CLOSE:
            if not stack or not stack[-1].children:
                raise ValueError("a phrase closes that is empty, or was not opened")
            one = stack.pop()
            (stack[-1].children if stack else done).append(Tree(one.label, tuple(one.children)))
        else:
            if not stack or taken_words == len(words):
                raise ValueError("a word is taken where there is none, or outside of all phrases")
            stack[-1].children.append(Tree(step, (), words[taken_words]))
            taken_words += 1
    if not done or taken_words < len(words):
        raise ValueError(f"{len(stack)} phrases are open at the end, and {len(words) - taken_words} words are left")
    return done[0]


def longest_run(taken: Sequence[str]) -> int:
    """The most phrases that are opened between two words."""
    longest = run = 0
    for step in taken:
        run = 0 if takes(step) else run + opens(step)
        longest = max(longest, run)
    return longest
