"""A service that is ready compiles nothing more for a tagger, whatever the texts."""

import asyncio

import jax
import pytest
import tiny_checkpoints

pytest.importorskip("prometheus_client")

from zoo.serve.models import ServedModels
from zoo.serve.service.engine import Engine
from zoo.serve.service.metrics import Metrics
from zoo.serve.service.settings import ServiceSettings

TEXTS = ["a", "a net, a line!", "it it it", "", "a b c d e f g h i j k l", "word " * 8]

# Two texts of as many different words as there can be: each sign is a word.
SIGNS = ["".join(map(chr, range(start, start + 40))) for start in (0x2190, 0x2200)]


@pytest.fixture
def compilations():
    """The names of the programs that are compiled, as they come."""
    found = []

    def listen(event, _, **about):
        if event == "/jax/core/compile/backend_compile_duration":
            found.append(about)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield found
    jax.monitoring.unregister_event_duration_listener(listen)


@pytest.mark.parametrize("name", ["names", "spelled"])
def test_a_tagger_compiles_before_it_is_ready(name, tmp_path, few_sizes, compilations):
    settings = ServiceSettings(max_characters=40)
    models = ServedModels([str(tiny_checkpoints.save(tmp_path, name))])

    async def ask():
        engine = Engine(models, settings, Metrics())
        engine.start()
        await engine.compile()
        compilations.clear()
        found = [await engine.ask(name, [text]) for text in TEXTS]
        found.append(await engine.ask(name, TEXTS))
        await engine.ask(name, SIGNS)
        await engine.close()
        return found

    *alone, together = asyncio.run(ask())
    assert compilations == []
    for (one,), other in zip(alone, together, strict=True):
        assert one["tags"] == other["tags"]
