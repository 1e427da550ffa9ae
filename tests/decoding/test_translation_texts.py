"""Texts that a translator refuses before it reads them."""

import pytest

pytest.importorskip("sentencepiece")

from zoo.data.vocabulary import build_vocabulary
from zoo.decoding.translation import TrainedTranslator, translate
from zoo.errors import UserError
from zoo.models.encoder_decoder import EncoderDecoder, EncoderDecoderConfig

SUBWORDS = build_vocabulary("subword", ["ja nein"], max_size=12)
WORDS = build_vocabulary("word", ["yes no"])


@pytest.mark.parametrize("source", [SUBWORDS, WORDS], ids=lambda vocabulary: vocabulary.kind)
def test_half_a_character_is_told_with_its_text(source):
    config = EncoderDecoderConfig(embedding_size=4, hidden_size=4)
    checkpoint = TrainedTranslator(
        model=EncoderDecoder(config, len(source), len(WORDS)),
        params={},
        source_vocabulary=source,
        vocabulary=WORDS,
        lowercase=False,
    )
    with pytest.raises(UserError, match=r"text 2 has half a character, '\\ud800' at 3"):
        translate(checkpoint, ["ja", "ne\ud800in"])
