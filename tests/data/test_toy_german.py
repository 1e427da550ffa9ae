"""The toy languages: German agrees, verbs stand where they should, alignments are true."""

import collections
import re

import pytest

from zoo.data import toy_german
from zoo.data.examples import Pair
from zoo.data.toy_german import LANGUAGES, MAX_WORDS, generate_pairs, generate_splits
from zoo.data.toy_languages import VERB_FINAL, VERB_INITIAL
from zoo.data.toy_words import ADJECTIVES, CONJUNCTIONS, NOUNS, PREPOSITIONS, TIMES, VERBS

# Written apart from the grammar: what determiner and adjective ending stand before a noun of a
# gender (or in the plural, "p"), by case.
ARTICLES = {
    "nominative": {
        "der": "m", "die": "fp", "das": "n", "dieser": "m", "diese": "fp", "dieses": "n",
        "ein": "mn", "eine": "f", "mein": "mn", "meine": "fp",
    },
    "accusative": {
        "den": "m", "die": "fp", "das": "n", "diesen": "m", "diese": "fp", "dieses": "n",
        "einen": "m", "eine": "f", "ein": "n", "meinen": "m", "meine": "fp", "mein": "n",
    },
    "dative": {
        "dem": "mn", "der": "f", "den": "p", "im": "mn", "diesem": "mn", "dieser": "f",
        "diesen": "p", "einem": "mn", "einer": "f", "meinem": "mn", "meiner": "f", "meinen": "p",
    },
}  # fmt: skip
ENDINGS_BARE = {"nominative": "e", "accusative": "e", "dative": "en"}  # plural, no determiner
PARTICLES = {verb.particle for verb in VERBS} - {"-"}
PARTICIPLES = {verb.participle for verb in VERBS}
PLURALS = {noun.english_plural for noun in NOUNS}
AUXILIARIES = {"habe", "hat", "haben", "bin", "ist", "sind"}
SUBORDINATORS = {"dass", "weil", "obwohl", "bevor", "wenn"}
PHRASE = re.compile(
    r"(?:(der|die|das|dem|den|im|(?:dies|mein|ein)(?:e[rsmn]?)?) )?"
    rf"(?:((?:{'|'.join(ADJECTIVES.values())})e[rsmn]?) )?([A-ZÄÖÜ]\w+)"
)
GENDERS = collections.defaultdict(set)
for noun in NOUNS:
    GENDERS[noun.german].add(noun.gender)
    GENDERS[noun.german_plural].add("p")
    GENDERS[noun.german_plural + "n"].add("p")


@pytest.fixture(scope="module", params=LANGUAGES)
def language(request):
    return request.param


@pytest.fixture(scope="module")
def pairs(language):
    return generate_pairs(language, 1000, seed=4)


@pytest.fixture(scope="module")
def german_pairs():
    return generate_pairs("german", 1500, seed=4)


def aligned_words(pair: Pair):
    source, target = pair.source.split(), pair.target.split()
    return [(source[i], target[j]) for i, j in pair.alignment]


def english_of_german() -> dict[str, set[str]]:
    """Every German form with the English ones that it may say."""
    table = collections.defaultdict(set)
    for noun in NOUNS:
        table[noun.german].add(noun.english)
        for form in (noun.german_plural, noun.german_plural + "n"):
            table[form].add(noun.english_plural)
    for verb in VERBS:
        particle = verb.particle.strip("-")
        for form in (verb.first, verb.third, verb.plural):
            for german in (form, particle + form, particle):
                table[german] |= {verb.base, verb.english_third}
        for german in (verb.participle, *AUXILIARIES):
            table[german].add(verb.past)
    for english, german in ADJECTIVES.items():
        for ending in ("e", "er", "es", "en"):
            table[german + ending].add(english)
    for english, german in (*CONJUNCTIONS.items(), *PREPOSITIONS.items(), ("with", "mit")):
        table[german].add(english)
    for time in TIMES:
        for german, english in zip(time.german.split(), time.english.split(), strict=True):
            table[german].add(english)
    pronouns = {"ich": "I", "mich": "me", "wir": "we", "uns": "us", "er": "he", "ihn": "him"}
    for german, english in pronouns.items():
        table[german].add(english)
    table["sie"] = {"she", "her", "they"}
    for german in set().union(*ARTICLES.values()):
        stems = {"d": {"the"}, "e": {"a", "an"}, "m": {"my"}, "i": {"in", "the"}}
        table[german] |= {"this", "these"} if german.startswith("dies") else stems[german[0]]
    table["."], table[","] = {"."}, {","}
    return table


def test_german_alignments_join_translations(german_pairs):
    table = english_of_german()
    for pair in german_pairs:
        for german, english in aligned_words(pair):
            assert english in table[german], (german, english, pair)


def test_coined_alignments_join_translations():
    for name, coined in (("verb_initial", VERB_INITIAL), ("verb_final", VERB_FINAL)):
        base = {noun.english_plural: noun.english for noun in NOUNS}
        base |= {verb.english_third: verb.base for verb in VERBS}
        base |= {verb.past: verb.base for verb in VERBS}
        base |= {"me": "I", "us": "we", "him": "he", "her": "she", "these": "this"}
        for pair in generate_pairs(name, 1000, seed=4):
            for english, word in aligned_words(pair):
                if english not in ",.":
                    stem = coined.stem(base.get(english, english))
                    assert word in (stem, stem + coined.plural, stem + coined.past)
                    assert word.endswith(coined.plural) == (english in PLURALS)


def test_invented_words_are_all_different_and_not_english():
    for coined in (VERB_INITIAL, VERB_FINAL):
        pairs = generate_pairs("verb_final", 1500, seed=0)
        english = {word for pair in pairs for word in pair.source.split()}
        stems = [coined.stem(noun.english) for noun in NOUNS]
        stems += [coined.stem(verb.base) for verb in VERBS]
        stems += [coined.stem(word) for word in (*ADJECTIVES, *CONJUNCTIONS, *PREPOSITIONS)]
        assert len(set(stems)) == len(stems)
        assert english.isdisjoint([*stems, coined.object_mark])


def test_only_words_without_a_counterpart_are_aligned_with_nothing(pairs, language):
    free_source = {"german": {","}, "verb_initial": {"a", "an"}, "verb_final": {"a", "an"}}
    free_target = {"german": {"to"}, "verb_initial": {"ol"}, "verb_final": {"ku"}}
    for pair in pairs:
        source, target = pair.source.split(), pair.target.split()
        sources, targets = (set(numbers) for numbers in zip(*pair.alignment, strict=True))
        left = {word for number, word in enumerate(source) if number not in sources}
        assert left <= free_source[language]
        left = {word for number, word in enumerate(target) if number not in targets}
        assert left <= free_target[language]
        assert list(pair.alignment) == sorted(set(pair.alignment))


def noun_phrases(german: str):
    return [match.groups() for match in PHRASE.finditer(german)]


def test_german_articles_and_adjectives_agree_with_their_nouns(german_pairs):
    """Every phrase is right in at least one case; cases that are known are tested below."""
    seen = set()
    for pair in german_pairs:
        for determiner, adjective, noun in noun_phrases(pair.source):
            if noun in ("Tag", "Woche"):
                continue
            cases = cases_of(determiner, adjective, noun)
            assert cases, (determiner, adjective, noun, pair.source)
            seen.add((determiner, adjective and adjective[-1]))
    assert len(seen) > 40


def cases_of(determiner, adjective, noun):
    """The cases in which a phrase is right, by the tables above."""
    cases = set()
    for case, table in ARTICLES.items():
        genders = GENDERS[noun] & (set(table.get(determiner, "")) if determiner else {"p"})
        if noun.endswith("n") and noun[:-1] in GENDERS and noun not in DATIVE_LOOKALIKES:
            genders &= {"p"} if case == "dative" else set()
        elif case == "dative" and not noun.endswith("n"):
            genders -= {"p"}
        if any(adjective is None or right_ending(determiner, adjective, g, case) for g in genders):
            cases.add(case)
    return cases


# Forms on -n that are not only datives: they are the singular or the plural themselves.
DATIVE_LOOKALIKES = {noun.german_plural for noun in NOUNS} | {noun.german for noun in NOUNS}


def right_ending(determiner, adjective, gender, case):
    stem = next(stem for stem in ADJECTIVES.values() if adjective.startswith(stem))
    ending = adjective.removeprefix(stem)
    if determiner is None:
        return ending == ENDINGS_BARE[case]
    if gender == "p" or case == "dative" or (gender == "m" and case == "accusative"):
        return ending == "en"
    if determiner in ("ein", "mein"):
        return ending == {"m": "er", "n": "es"}[gender]
    return ending == "e"


@pytest.mark.parametrize(
    ("before", "case"),
    [("mit", "dative"), ("hinter", "dative"), ("neben", "dative"), ("in", "dative")],
)
def test_prepositions_have_the_dative(german_pairs, before, case):
    found = 0
    for pair in german_pairs:
        for match in re.finditer(rf"\b{before} ({PHRASE.pattern})", pair.source):
            assert case in cases_of(*match.groups()[1:]), match.group()
            found += 1
    assert found > 20
    assert not any(" in dem " in f" {pair.source}" for pair in german_pairs)


def test_subjects_are_nominative_and_objects_accusative(german_pairs):
    """Of masculine nouns in the singular, whose cases differ: by their place in English."""
    found = collections.Counter()
    transitive = {form for v in VERBS if v.takes in ("being", "thing", "either") for form in v[7:]}
    for pair in german_pairs:
        source, target = pair.source.split(), pair.target.split()
        back = {j: i for i, j in pair.alignment if source[i][0].isupper()}
        masculine = {noun.english for noun in NOUNS if noun.gender == "m"}
        for j, word in enumerate(target[:-1]):
            if word in transitive and target[j + 1] == "the" and target[j + 2] in masculine:
                assert source[back[j + 2] - 1] == "den"
                found["accusative"] += 1
            if word == "the" and j == 0 and target[1] in masculine and target[2] in transitive:
                assert source[back[1] - 1] == "der"
                found["nominative"] += 1
            if word == "to" and target[j + 1] == "the" and target[j + 2] in masculine:
                assert source[back[j + 2] - 1] == "dem"
                found["dative"] += 1
    assert min(found.values()) > 5, found
    assert len(found) == 3


FINITE = {form for verb in VERBS for form in verb[1:4]} | AUXILIARIES


def test_the_german_verb_is_second_and_the_participle_or_particle_last(german_pairs):
    """In sentences of one main clause: one phrase stands before the finite verb."""
    participles = particles = 0
    for pair in german_pairs:
        words = pair.source.split()[:-1]
        if "," in words:
            continue
        [finite] = [number for number, word in enumerate(words) if word in FINITE]
        english = pair.target.split()
        first_german = range(finite)
        targets = {j for i, j in pair.alignment if i in first_german}
        assert targets == set(range(len(targets)))  # English begins with the same phrase
        if words[finite] in AUXILIARIES:
            assert words[-1] in PARTICIPLES
            participles += 1
        verb = [j for i, j in pair.alignment if i == finite]
        assert len(verb) == 1
        if any(english[verb[0]] in v[7:9] and v.particle != "-" for v in VERBS):
            assert words[-1] in PARTICLES
            particles += 1
    assert participles > 50
    assert particles > 20


def test_the_german_verb_is_last_in_a_subordinate_clause(german_pairs):
    joined = {v.particle + form for v in VERBS for form in v[1:4] if v.particle != "-"}
    found = collections.Counter()
    for pair in german_pairs:
        for piece in re.split(r" , | \.$", pair.source):
            words = piece.split()
            if words and words[0] in SUBORDINATORS:
                assert words[-1] in joined | FINITE, piece
                assert (words[-1] in AUXILIARIES) == (words[-2] in PARTICIPLES)
                found[words[0]] += 1
                found["joined"] += words[-1] in joined
    assert set(found) == SUBORDINATORS | {"joined"}


def test_verbs_are_first_or_last_in_the_invented_languages():
    english_verbs = {form for verb in VERBS for form in verb[7:]}
    for name, position in (("verb_initial", 0), ("verb_final", -2)):
        checked = 0
        for pair in generate_pairs(name, 1000, seed=4):
            source, target = pair.source.split(), pair.target.split()
            verbs = [j for i, j in pair.alignment if source[i] in english_verbs]
            plain = source[0] not in {t.english.split()[0] for t in TIMES} | set(PREPOSITIONS)
            if len(verbs) == 1 and plain and "," not in source:
                assert verbs == [position % len(target)]
                checked += 1
        assert checked > 50


def test_sentences_differ_and_are_of_every_length(pairs):
    for side in ("source", "target"):
        sentences = [getattr(pair, side) for pair in pairs]
        assert len(set(sentences)) == len(sentences)
        lengths = [len(sentence.split()) for sentence in sentences]
        classes = collections.Counter((length - 1) // 5 for length in lengths)
        assert set(classes) == set(range(MAX_WORDS // 5))
        assert min(classes.values()) > 10
        assert min(lengths) == 3


def test_the_same_seed_gives_the_same_pairs(pairs, language):
    assert generate_pairs(language, 50, seed=4) == pairs[:50]
    assert generate_pairs(language, 50, seed=5) != pairs[:50]


def test_no_sentence_stands_in_two_splits(monkeypatch):
    sizes = {"train": 300, "validation": 40, "test": 30}
    monkeypatch.setattr(toy_german, "SPLIT_SIZES", sizes)
    splits = generate_splits("german")
    assert {split: len(pairs) for split, pairs in splits.items()} == sizes
    for side in (0, 1):
        sentences = [pair[side] for pairs in splits.values() for pair in pairs]
        assert len(set(sentences)) == sum(sizes.values())
