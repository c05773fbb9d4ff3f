"""Every source that docstrings, `source` attributes and pages cite is in docs/references.bib, and no other."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from sparsescope.metrics import metric_class, names

ROOT = Path(__file__).parents[2]
BIBLIOGRAPHY = ROOT / "docs" / "references.bib"

NAME = r"(?:(?:van|von|de|der|den|di|La) )*(?:O'|Mc|Mac|De|La|Le)?[A-Z][a-zà-öø-ÿ]+(?:-[A-Z][a-zà-öø-ÿ]+)*"
AUTHORS = rf"(?P<names>{NAME}(?: et al\.|(?:, {NAME})*,? (?:&|and) {NAME})?)"
VENUE = r"(?:, “[^”]*”)?(?:, [A-Z][A-Za-z]+)?"
CITATION = re.compile(rf"(?<![\w-]){AUTHORS}(?:'s)?{VENUE} \(?(?P<year>(?:19|20)\d\d[a-z]?)(?!\w)")
AFTER_ONE = re.compile(r"$|[.,;:)\]\"'`]")
NO_AUTHORS = re.compile(
    "January|February|March|April|May|June|July|August|September|October|November|December|Table|Figure|Section|"
    "Chapter|Version|Since|Until|In|By|Before|After|Year|Default|Python"
)


@dataclass(frozen=True)
class Citation:
    """First author and year as texts cite them; `authors` are all, or None where the rest is "et al."."""

    first: str
    year: str
    authors: tuple[str, ...] | None


@dataclass(frozen=True)
class Entry:
    """One entry of the bibliography; `year` has the letter of the key, where it has one."""

    key: str
    authors: tuple[str, ...]
    year: str
    fields: dict[str, str]

    def fits(self, citation: Citation) -> bool:
        """Whether a citation names this entry's authors: all of them, or "et al." where they are three or more."""
        if (self.authors[0], self.year) != (citation.first, citation.year):
            return False
        return len(self.authors) > 2 if citation.authors is None else self.authors == citation.authors


def citations(text: str, known: frozenset[str] = frozenset()) -> set[Citation]:
    """Return what a text cites; a single name counts before a stop or bracket, or if it is a known author's."""
    flat = re.sub(r"\s*\n\s*(?:# ?)?", " ", text).replace("’", "'").replace("&amp;", "&")
    found = set()
    for match in CITATION.finditer(flat):
        written, year = match["names"], match["year"]
        authors = tuple(re.split(r",? (?:&|and) |, ", written.removesuffix(" et al.")))
        single = written == authors[0]
        doubtful = single and authors[0] not in known and not AFTER_ONE.match(flat, match.end())
        if not (doubtful or NO_AUTHORS.fullmatch(authors[0])):
            found.add(Citation(authors[0], year, None if written.endswith("et al.") else authors))
    return found


def entries(text: str) -> list[Entry]:
    """Return the entries of a bibliography."""
    found = []
    for key, body in re.findall(r"^@[a-z]+\{([^,]+),\n(.*?)^\}$", text, flags=re.DOTALL | re.MULTILINE):
        fields = dict(re.findall(r"^  ([a-z]+) = \{(.*)\},$", body, flags=re.MULTILINE))
        authors = tuple(author.partition(",")[0] for author in fields["author"].split(" and "))
        letter = re.fullmatch(rf"[a-z]+{fields['year']}(?:([a-z])-)?[a-z]+", key)
        assert letter, f"{key}: expected surname, year and a word"
        found.append(Entry(key, authors, fields["year"] + (letter[1] or ""), fields))
    return found


def texts() -> dict[Path, str]:
    """Return what may cite: modules, recipes, presets and templates of the package, examples and pages."""
    patterns = ("sparsescope/**/*.py", "sparsescope/**/*.toml", "sparsescope/**/*.j2", "docs/**/*.md", "examples/*.py")
    paths = [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]
    return {path: path.read_text(encoding="utf-8") for path in [*paths, ROOT / "README.md", ROOT / "CHANGELOG.md"]}


BOOK = entries(BIBLIOGRAPHY.read_text(encoding="utf-8"))
AUTHORS_KNOWN = frozenset(entry.authors[0] for entry in BOOK)
CITED = {path: citations(text, AUTHORS_KNOWN) for path, text in texts().items()}


def test_every_citation_has_an_entry() -> None:
    missing = [
        f"{path.relative_to(ROOT)}: {citation}"
        for path, found in CITED.items()
        for citation in found
        if sum(entry.fits(citation) for entry in BOOK) != 1
    ]
    assert not missing


def test_every_entry_is_cited() -> None:
    assert not [entry.key for entry in BOOK if not any(entry.fits(one) for found in CITED.values() for one in found)]


@pytest.mark.parametrize("entry", BOOK, ids=lambda entry: entry.key)
def test_an_entry_is_whole(entry: Entry) -> None:
    surname = re.sub(r"[^a-z]", "", entry.authors[0].rpartition(" ")[2].lower())
    assert entry.key.startswith(f"{surname}{entry.fields['year']}")
    where = {"journal", "booktitle", "publisher", "institution", "howpublished", "eprint", "url"}
    assert {"author", "title", "year"} <= entry.fields.keys() and where & entry.fields.keys()
    assert all(value.count("{") == value.count("}") for value in entry.fields.values())


def test_keys_are_sorted_and_author_and_year_belong_to_one_entry() -> None:
    keys = [entry.key for entry in BOOK]
    assert keys == sorted(set(keys))
    assert BIBLIOGRAPHY.read_text(encoding="utf-8").count("\n@") == len(keys)
    assert len({(entry.authors[0], entry.year) for entry in BOOK}) == len(keys)


@pytest.mark.parametrize("name", names())
def test_the_source_of_a_metric_cites(name: str) -> None:
    assert citations(metric_class(name).source), metric_class(name).source


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Source: Guo et al. 2017.", Citation("Guo", "2017", None)),
        ("as Guo et al. (2017) say", Citation("Guo", "2017", None)),
        ("Guo et al.'s 2017 error", Citation("Guo", "2017", None)),
        ("a ticket? (Chen et al., TMLR 2022)", Citation("Chen", "2022", None)),
        ("Mu &amp; Andreas, “Compositional”, NeurIPS 2020", Citation("Mu", "2020", ("Mu", "Andreas"))),
        ("the share of Hendrycks et\n    al. 2021a, cut", Citation("Hendrycks", "2021a", None)),
        ("Mu & Andreas's (2020) search", Citation("Mu", "2020", ("Mu", "Andreas"))),
        ("by Mu and Andreas 2020", Citation("Mu", "2020", ("Mu", "Andreas"))),
        ("Nguyen & O'Connor 2015", Citation("Nguyen", "2015", ("Nguyen", "O'Connor"))),
        ("DeGroot & McNeil 1983", Citation("DeGroot", "1983", ("DeGroot", "McNeil"))),
        ("(Schucany, Gray & Owen 1971)", Citation("Schucany", "1971", ("Schucany", "Gray", "Owen"))),
        ("by van de Weijer et al. 2009", Citation("van de Weijer", "2009", None)),
        ("by La Rosa & Gilpin 2026.", Citation("La Rosa", "2026", ("La Rosa", "Gilpin"))),
        ("# after Tol 2021; dark", Citation("Tol", "2021", ("Tol",))),
        ("Newcombe 1998 (method 10)", Citation("Newcombe", "1998", ("Newcombe",))),
        ("Efron's 1979.", Citation("Efron", "1979", ("Efron",))),
    ],
)
def test_the_ways_to_cite_are_read(text: str, expected: Citation) -> None:
    assert citations(text, frozenset({"Newcombe"})) == {expected}


@pytest.mark.parametrize(
    "text",
    [
        "images: int | None = 2000",
        "Only 2000 images are read.",
        "the classes of ILSVRC 2012.",
        "NeurIPS 2020, CVPR 2017",
        "In 2020, on 1 May 2021; see Table 1995.",
        "ResNet 2015.",
        "Chen et al. 20221",
        "confidence 0.95, replicates 2000",
    ],
)
def test_other_words_before_a_number_are_no_citation(text: str) -> None:
    assert citations(text) == set()


def test_wrong_authors_year_or_letter_fit_no_entry() -> None:
    for text in ("Guo & Pleiss 2017", "Guo et al. 2018", "Mu et al. 2020", "Mu & Gray 2020", "Hendrycks et al. 2021"):
        (citation,) = citations(text)
        assert not any(entry.fits(citation) for entry in BOOK), text
