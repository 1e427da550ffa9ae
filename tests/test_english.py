"""No docstring, error, help text or page has the turns of phrase that readers read twice.

The test looks for what a machine finds without false alarms: first lines of docstrings that have no
verb, pronouns in the place of a noun, and sentences that are too long.
"""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# The files with prose for users and readers, as patterns of paths.
PROSE = (
    "README.md",
    "benchmarks/*.py",
    "checkpoints/*/card.md",
    "configs/*.py",
    "docs/**/*.md",
    "experiments/*.py",
    "train.py",
    "zoo/**/*.py",
)

BANNED = {
    "a pronoun for a noun; repeat the noun": r"\b(that|those|the same) of\b",
    "'so many'; write 'number of'": r"\bso many\b(?! (that|as)\b)",
    "'as many as' without a noun; write 'the same number of'": r"\bas many as\b",
    "'How many' as a description; write 'Number of'": r"(?m)(^|: )How (many|much)\b(?!.*\?)",
    "'What' as a description; name the thing": r"(?m)^\s*(\w+: )?What (a|an|the|is|are)\b(?!.*\?)",
    "'Of a' at the start; write 'For a'": r"(?m)(^|[.:;*-] )Of (a|an|the|several|two)\b",
    "'cannot be' without a verb": r"\b(can't|cannot) be(?=[.;,]|$)",
    "'without' without a noun": r"\bwithout(?=[.;]|$)",
    "'none for none'": r"(?i)\bnone for none\b",
    "'of several labels'": r"\bof several labels\b",
    "a short form": r"\b(can|don|doesn|isn|aren|won|didn)'t\b",
}
LONGEST_SENTENCE = 40  # words
SECTIONS = ("Args", "Returns", "Yields", "Raises", "Warns", "Attributes", "Example", "Examples")

EQUATION = re.compile(r"(?!.*\b[a-z]{4,}\b.* (=|<-) )\S.{0,30} (=|<-) ")

# Plural nouns and other words that end like a verb of the third person.
NO_VERBS = re.compile(
    "Arrays|Axes|Bits|Bytes|Cells|Characters|Classes|Files|Heads|Hypotheses|Indices|Its|Keys|Labels|"
    "Lengths|Lines|Logits|Names|Nats|Numbers|Pairs|Params|Parameters|Pictures|Rows|Scores|Sentences|"
    "Shapes|Sizes|Spans|Steps|Tags|Texts|This|Thus|Tokens|Values|Vectors|Weights|Words"
)


PATHS = sorted(path for pattern in PROSE for path in ROOT.glob(pattern))
FILES = [path for path in PATHS if path.suffix == ".py"]
PAGES = [path for path in PATHS if path.suffix == ".md"]


def name(path):
    return str(path.relative_to(ROOT))


def banned(text):
    """Returns what is wrong with a text, a line each."""
    found = []
    for reason, pattern in BANNED.items():
        for match in re.finditer(pattern, text):
            around = text[max(0, match.start() - 30) : match.end() + 30].replace("\n", " ")
            found.append(f"{reason}: ...{around}...")
    return found


def sentences(paragraph):
    """Returns the sentences of a paragraph; a semicolon does not end one."""
    return re.split(r"(?<=[.!?:]) ", " ".join(paragraph.split()))


def too_long(paragraphs):
    return [
        f"a sentence of {len(sentence.split())} words: {sentence}"
        for paragraph in paragraphs
        for sentence in sentences(paragraph)
        if len(sentence.split()) > LONGEST_SENTENCE
    ]


def prose(docstring):
    """Returns the paragraphs of a docstring without doctests, tables and equations."""
    paragraphs, lines = [], []
    section, in_example = False, False
    for line in [*docstring.splitlines(), ""]:
        depth = len(line) - len(line.lstrip())
        text = line.strip()
        if not depth and re.fullmatch(r"[A-Z]\w+:", text):
            section, in_example = True, text.startswith("Example")
            continue
        if text and not depth:
            section, in_example = False, False
        if in_example:
            continue
        aside = (depth >= 4 and not section) or EQUATION.match(text)  # an equation or a table
        begins = not text or aside or re.match(r"[*-] |\d+\. |\w+: ", text)
        if begins and lines:
            paragraphs.append(" ".join(lines))
            lines = []
        if text and not aside:
            lines.append(text)
    return paragraphs


def docstrings(tree):
    """Yields (node, docstring) of a module, its classes and functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node)
            if docstring:
                yield node, docstring


def is_property(node):
    return any("property" in ast.unparse(decorator) for decorator in node.decorator_list)


def faults_of_docstring(node, docstring):
    first = docstring.splitlines()[0]
    if not first.endswith((".", "!", "?")):
        yield f"a first line that does not end with a full stop: {first}"
    is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    if is_function and not is_property(node):
        word = first.split()[0].rstrip(":")
        is_equation = not re.fullmatch("[A-Z][a-z]+|An?", word)
        if not is_equation and (not word.endswith("s") or NO_VERBS.fullmatch(word)):
            yield f"a first line that does not begin with a verb such as 'Returns': {first}"
    for section in re.findall(r"(?m)^([A-Z]\w+):$", docstring):
        if section not in SECTIONS:
            yield f"a section that is none of {', '.join(SECTIONS)}: {section}"
    paragraphs = prose(docstring)
    yield from too_long(paragraphs)
    yield from banned("\n".join(paragraphs))


def texts(tree):
    """Yields (line, text) of the strings that people read: errors, notes and help, in words."""
    skipped = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.add(node.value)  # docstrings
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.JoinedStr):
            skipped.update(node.values)
            parts = [part.value if isinstance(part, ast.Constant) else "X" for part in node.values]
            text = "".join(parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            continue
        if len(re.findall(r"[A-Za-z]{2,}", text)) > 3 and re.search(r"[.,;:]", text):
            yield node.lineno, text


@pytest.mark.parametrize("path", FILES, ids=name)
def test_docstrings_read_at_once(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [
        f"{name(path)}:{getattr(node, 'lineno', 1)}: {fault}"
        for node, docstring in docstrings(tree)
        for fault in faults_of_docstring(node, docstring)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", FILES, ids=name)
def test_errors_notes_and_help_read_at_once(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [
        f"{name(path)}:{line}: {fault}"
        for line, text in texts(tree)
        for fault in [*banned(text), *too_long(text.split("\n"))]
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_pages_read_at_once(path):
    text = re.sub(r"(?ms)^( *)(```+|:::+|\$\$).*?^\1\2", "", path.read_text(encoding="utf-8"))
    text = re.sub(r"`[^`\n]*`", "X", text)  # code in a sentence
    text = re.sub(r"(?m)^\|.*\|$", "", text)  # tables
    paragraphs = re.split(r"\n\s*\n|\n(?=\s*(?:[*-]|\d+\.) )", text)
    found = [*banned(text), *too_long(paragraphs)]
    assert not found, "\n".join(f"{name(path)}: {fault}" for fault in found)


@pytest.mark.parametrize(
    "docstring",
    [
        "What a backward step gives.",
        "The first line\nends late.",
        "Rows of numbers as int32[B, T].",
        "Returns the loss, or that of the validation split.",
        "Returns the loss.\n\nArguments:\n    loss: the loss.",
        "Returns " + "word " * LONGEST_SENTENCE + "end.",
    ],
)
def test_a_bad_docstring_is_found(docstring):
    node = ast.parse("def f(): ...").body[0]
    assert list(faults_of_docstring(node, docstring))


def test_a_good_docstring_is_let_through():
    docstring = """Returns the perplexity of a text, exp of the mean loss.

        h_t = f(W x_t + U h_{t-1} + b)                                  that of Elman 1990

    Args:
        text: the text, at least one character.

    Example:
        >>> perplexity("that of many")
        2.0
    """
    node = ast.parse("def f(): ...").body[0]
    assert not list(faults_of_docstring(node, ast.get_docstring(ast.parse(f'"""{docstring}"""'))))
