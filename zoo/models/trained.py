"""What using a trained model needs of it."""

from typing import Any, Protocol


class TrainedModel(Protocol):
    """A model with its parameters and its vocabulary, as `zoo.load` gives them."""

    @property
    def model(self) -> Any:
        """A Flax module, such as `RecurrentLM`."""

    @property
    def params(self) -> Any:
        """Its parameters."""

    @property
    def vocabulary(self) -> Any:
        """The `zoo.data.vocabulary.Vocabulary` of its tokens."""
