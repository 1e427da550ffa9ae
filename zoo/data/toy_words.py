"""The words of the toy languages, and the meanings that sentences are made from.

Nouns, verbs and adjectives are chosen so that all forms in use are regular: no noun that gets an
ending in the accusative ("den Jungen"), no adjective that changes its stem, no reflexive verb. All
nouns of the kind "thing" can be opened and closed, so that each verb fits each object of its kind.
"""

from typing import NamedTuple


class Noun(NamedTuple):
    """A noun: its kind ("being", "thing", "place"), gender ("m", "f", "n") and forms."""

    kind: str
    gender: str
    german: str
    german_plural: str
    english: str
    english_plural: str


class Verb(NamedTuple):
    """A verb and its objects.

    Attributes:
        takes: what follows the verb. "nothing": no object. "being" or "thing": an object of this
            kind. "either": an object of any of the two kinds. "give": a recipient and a thing.
            "clause": a clause with "that".
        first: the German present form for "ich", without the particle.
        third: the German present form for "er", "sie" (she) and "es", without the particle.
        plural: the German present form for "wir" and "sie" (they), without the particle.
        participle: the German participle of the perfect tense, with the particle.
        auxiliary: the German auxiliary of the perfect tense, "haben" or "sein".
        particle: the separable particle, as "an" in "rufe an"; "-" means none.
        base: the English base form.
        english_third: the English third person singular.
        past: the English past tense.
    """

    takes: str
    first: str
    third: str
    plural: str
    participle: str
    auxiliary: str
    particle: str
    base: str
    english_third: str
    past: str


class Pronoun(NamedTuple):
    """A personal pronoun; its `person` ("first", "third", "plural") decides the verb's form."""

    person: str
    nominative: str
    accusative: str
    english: str
    english_object: str


class Time(NamedTuple):
    """An adverbial of time; word k of one language says word k of the other."""

    tenses: str  # "present", "past" or "present past"
    german: str
    english: str


class NounPhrase(NamedTuple):
    """A noun with a determiner, perhaps an adjective, and perhaps a second phrase after "and".

    Attributes:
        determiner: "the", "a" (no word in the plural), "my" or "this".
        adjective: the English adjective; "" means none.
        noun: the noun.
        plural: whether the noun is in the plural.
        other: the second phrase, Y in "X and Y"; None if there is none.
    """

    determiner: str
    adjective: str
    noun: Noun
    plural: bool
    other: "NounPhrase | None" = None


class Place(NamedTuple):
    """The place of an event: an English preposition and a noun phrase."""

    preposition: str
    phrase: NounPhrase


class Clause(NamedTuple):
    """The meaning of a clause, independent of any language; a missing role is None.

    Attributes:
        conjunction: the English conjunction; "" before the first main clause.
        verb: the verb.
        past: whether the clause is in the past, which is the perfect tense in German.
        subject: the person or thing that acts.
        object: the person or thing that is acted on.
        recipient: the person to whom something is given.
        companion: the person with whom the subject acts.
        place: the place.
        time: the time.
        front: the role that stands first: "time", "place" or "adjunct"; "" means the subject.
        complement: the clause with "that".
        adjunct: the clause with "because", "although", "before" or "when".
    """

    conjunction: str
    verb: Verb
    past: bool
    subject: NounPhrase | Pronoun
    object: NounPhrase | Pronoun | None
    recipient: NounPhrase | None
    companion: NounPhrase | None
    place: Place | None
    time: Time | None
    front: str
    complement: "Clause | None"
    adjunct: "Clause | None"


_NOUN_TABLE = """
being m Mann Männer man men
being m Lehrer Lehrer teacher teachers
being m Freund Freunde friend friends
being m Arzt Ärzte doctor doctors
being m Hund Hunde dog dogs
being m Vogel Vögel bird birds
being f Frau Frauen woman women
being f Schwester Schwestern sister sisters
being f Katze Katzen cat cats
being f Königin Königinnen queen queens
being n Kind Kinder child children
being n Mädchen Mädchen girl girls
being n Pferd Pferde horse horses
thing m Brief Briefe letter letters
thing m Koffer Koffer suitcase suitcases
thing f Kiste Kisten box boxes
thing f Flasche Flaschen bottle bottles
thing n Buch Bücher book books
thing n Paket Pakete parcel parcels
place m Garten Gärten garden gardens
place m Wald Wälder forest forests
place f Stadt Städte town towns
place f Schule Schulen school schools
place n Haus Häuser house houses
"""
NOUNS = tuple(Noun(*line.split()) for line in _NOUN_TABLE.strip().split("\n"))

_VERB_TABLE = """
nothing schlafe schläft schlafen geschlafen haben - sleep sleeps slept
nothing lache lacht lachen gelacht haben - laugh laughs laughed
nothing singe singt singen gesungen haben - sing sings sang
nothing arbeite arbeitet arbeiten gearbeitet haben - work works worked
nothing wache wacht wachen aufgewacht sein auf wake wakes woke
nothing komme kommt kommen angekommen sein an arrive arrives arrived
either sehe sieht sehen gesehen haben - see sees saw
either suche sucht suchen gesucht haben - seek seeks sought
either hole holt holen abgeholt haben ab fetch fetches fetched
being liebe liebt lieben geliebt haben - love loves loved
being rufe ruft rufen angerufen haben an call calls called
being lade lädt laden eingeladen haben ein invite invites invited
thing kaufe kauft kaufen gekauft haben - buy buys bought
thing mache macht machen aufgemacht haben auf open opens opened
thing mache macht machen zugemacht haben zu close closes closed
thing bringe bringt bringen mitgebracht haben mit bring brings brought
give gebe gibt geben gegeben haben - give gives gave
give zeige zeigt zeigen gezeigt haben - show shows showed
give schicke schickt schicken geschickt haben - send sends sent
clause sage sagt sagen gesagt haben - say says said
clause weiß weiß wissen gewusst haben - know knows knew
clause glaube glaubt glauben geglaubt haben - believe believes believed
"""
VERBS = tuple(Verb(*line.split()) for line in _VERB_TABLE.strip().split("\n"))

PRONOUNS = (
    Pronoun("first", "ich", "mich", "I", "me"),
    Pronoun("plural", "wir", "uns", "we", "us"),
    Pronoun("third", "er", "ihn", "he", "him"),
    Pronoun("third", "sie", "sie", "she", "her"),
    Pronoun("plural", "sie", "sie", "they", "them"),
)
TIMES = (
    Time("present past", "heute", "today"),
    Time("present past", "jeden Tag", "every day"),
    Time("present", "jetzt", "now"),
    Time("past", "gestern", "yesterday"),
    Time("past", "letzte Woche", "last week"),
)
ADJECTIVES = {
    "old": "alt",
    "young": "jung",
    "small": "klein",
    "big": "groß",
    "clever": "klug",
    "beautiful": "schön",
    "new": "neu",
    "red": "rot",
}
PREPOSITIONS = {"in": "in", "behind": "hinter", "beside": "neben"}  # of places; all take the dative
CONJUNCTIONS = {
    "and": "und",
    "but": "aber",
    "that": "dass",
    "because": "weil",
    "although": "obwohl",
    "before": "bevor",
    "when": "wenn",
}
# Nominative, accusative and dative, by gender and in the plural ("p").
DETERMINERS = {
    "the": {"m": "der den dem", "f": "die die der", "n": "das das dem", "p": "die die den"},
    "this": {
        "m": "dieser diesen diesem",
        "f": "diese diese dieser",
        "n": "dieses dieses diesem",
        "p": "diese diese diesen",
    },
    "a": {"m": "ein einen einem", "f": "eine eine einer", "n": "ein ein einem"},
    "my": {
        "m": "mein meinen meinem",
        "f": "meine meine meiner",
        "n": "mein mein meinem",
        "p": "meine meine meinen",
    },
}
# Adjective endings are weak after der and dieser, mixed after ein and mein, otherwise strong.
WEAK = {"m": "e en en", "f": "e e en", "n": "e e en", "p": "en en en"}
MIXED = {"m": "er en en", "f": "e e en", "n": "es es en", "p": "en en en"}
STRONG = {"p": "e e en"}
ADJECTIVE_ENDINGS = {"the": WEAK, "this": WEAK, "a": MIXED | STRONG, "my": MIXED}
