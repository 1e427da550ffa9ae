"""The tokens of a trained model, which a new model with few texts can keep."""

from collections.abc import Sequence

from ml_collections import ConfigDict

from zoo.data.vocabulary import SubwordVocabulary
from zoo.errors import UserError


def tokens_to_keep(config: ConfigDict) -> Sequence[str]:
    """Returns the tokens of the model that `training.init_from` names, if they are to be kept.

    Args:
        config: the config of a classifier. Unless `training.keep_tokens` is True, there are none.

    Raises:
        UserError: there is no such model, or the tokens are subwords, which nothing can be added
            to.
    """
    if not config.training.keep_tokens:
        return ()
    if not config.training.init_from:
        raise UserError(
            "training.keep_tokens is True, but training.init_from is empty; name the model whose "
            "tokens are kept"
        )
    if config.data.vocabulary == SubwordVocabulary.kind:
        raise UserError(
            "training.keep_tokens is True, but data.vocabulary is subword; use lowercase_word, "
            "word or character"
        )
    from zoo import hub  # imported late, because it imports the registry of tasks

    return hub.load(config.training.init_from).vocabulary.tokens
