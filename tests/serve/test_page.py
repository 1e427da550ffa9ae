"""The page as a person uses it, in a real browser, narrow and wide."""

import socket
import threading

import pytest
import uvicorn
from browser import CHROMIUM, Browser

import zoo
from zoo.serve.app import make_app
from zoo.serve.limits import RateLimit

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")
TOKEN = "#written .token"


@pytest.fixture(scope="module")
def address(models):
    """Where the server listens."""
    server = uvicorn.Server(
        uvicorn.Config(
            make_app(models, rate_limit=RateLimit(burst=1000)),
            log_level="critical",
            ws="none",
        )
    )
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """One browser for all of these tests."""
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(params=[390, 1280])
def page(request, browser, address):
    """The page, newly opened. In the end nothing is cut off, and the browser has no complaint."""
    browser.complaints.clear()
    browser.open(address, width=request.param, dark=request.param == 390)
    browser.wait("document.querySelectorAll('#model option').length")
    yield browser
    assert browser.cut_texts() == []
    assert browser.complaints == []


def submit(page, panel):
    """Presses a panel's button and waits for the end of what it does."""
    page.click(f"#{panel} form > button")
    page.wait(f"!document.querySelector('#{panel} form > button').disabled")


def test_every_field_has_a_label_and_only_the_models_panels_are_shown(page):
    fields = "[...document.querySelectorAll('input, select, textarea')]"
    shown = "[...document.querySelectorAll('section')].filter(x => !x.hidden).map(x => x.id)"
    expected = {
        "lstm": ["generate", "gradients"],
        "counts": ["generate"],
        "topics": ["classify"],
        "german": ["translate"],
        "names": ["tag"],
        "mixture of lstm, gru, counts": ["generate"],
    }
    for title, panels in expected.items():
        page.choose("#model", title)
        assert page.run(shown) == panels
        assert page.run(f"{fields}.length") > 8
        assert page.run(f"{fields}.filter(x => !x.labels[0].textContent.trim()).length") == 0


def test_a_text_streams_in_and_its_tokens_say_what_else_might_have_come(page, models):
    page.choose("#model", "characters")
    page.fill("#prompt", "a net")
    page.fill("#max_tokens", "60")
    page.click("#generate form > button")
    page.wait(f"document.querySelectorAll('{TOKEN}').length > 5")
    page.wait("!document.querySelector('#generate form > button').disabled")
    assert page.count(TOKEN) == 60
    text = zoo.generate(models.load("characters"), "a net", temperature=0.8, max_tokens=60)
    assert page.text("#written").replace("\u21b5", "") == text
    page.point(f"{TOKEN}[data-index='7']")
    assert page.count("#details li") == 6
    assert page.text("#details .chosen .name").startswith("\u2713")
    assert page.run("document.querySelector('.token.shown').dataset.index") == "7"
    before = page.text("#details")
    page.click(f"{TOKEN}[data-index='7']")  # the keyboard goes on from there
    page.press("ArrowRight")
    assert page.run("document.activeElement.dataset.index") == "8"
    assert page.text("#details") != before
    page.press("End")
    assert page.run("document.activeElement.dataset.index") == "59"


def test_writing_can_be_stopped(page):
    page.choose("#model", "characters")
    page.fill("#max_tokens", "500")
    page.click("#generate form > button")
    page.wait(f"document.querySelectorAll('{TOKEN}').length > 5")
    page.run("document.querySelector('#stop').click()")
    page.wait("!document.querySelector('#generate form > button').disabled")
    assert page.run("document.querySelector('#generate .trouble').hidden")


def test_a_mixture_has_weights_and_winners(page):
    page.choose("#model", "mixture of lstm, gru, counts")
    assert page.text("#sliders output") == "33 %"
    page.click("#sliders input")  # in its middle
    for _ in range(50):
        page.press("ArrowLeft")
    assert page.text("#sliders output") == "0 %"
    page.fill("#prompt", "a strange net")
    submit(page, "generate")
    assert page.text("#unknown").startswith("The model does not know strange;")
    assert page.text("#winners").split() == ["lstm", "gru", "counts"]
    page.point(TOKEN)
    assert page.count("#details li") == 9
    winner = page.text("#details ol:last-child .chosen .name").removeprefix("\u2713 ")
    assert page.text("#details h3:nth-of-type(2)") == f"Won by {winner}"
    number = ["lstm", "gru", "counts"].index(winner)
    assert page.run(f"document.querySelector('.token.shown').classList.contains('c{number}')")
    page.click("#equal")
    assert page.text("#sliders output") == "33 %"


def test_gradients_are_drawn_of_what_was_written(page):
    page.choose("#model", "characters")
    submit(page, "generate")
    submit(page, "gradients")
    assert page.count("#chart svg polyline") == 2
    assert page.run("document.querySelector('#chart svg').getBoundingClientRect().height") > 100
    assert page.text("#curves").split() == ["h", "c"]


def test_labels_have_bars_and_tokens_are_lit(page, models):
    page.choose("#model", "topics")
    page.fill("#labelled", "a net reads <b>unheard</b> lines")
    submit(page, "classify")
    (expected,) = zoo.classify(models.load("topics"), "a net reads <b>unheard</b> lines")
    assert page.count("#labels li") == 10
    assert page.text("#labels .chosen .name") == f"\u2713 {expected.labels[0]}"
    assert page.text("#rest summary") == "2 more labels"
    assert page.count("#deciding .token") == 6
    place = max(range(6), key=lambda at: expected.weights[at])
    lit = "Number(getComputedStyle(x).getPropertyValue('--part'))"
    parts = page.run(f"[...document.querySelectorAll('#deciding .token')].map(x => {lit})")
    assert parts[place] == 1
    page.point("#deciding .token[data-index='1']")
    assert page.text("#weight").startswith("net: ")
    assert page.count("b") == 0  # text is no markup


def test_spans_are_coloured_and_words_say_their_tag(page, models):
    text = "a net,  <b>reads</b> a line"
    page.choose("#model", "names")
    page.fill("#untagged", text)
    submit(page, "tag")
    (expected,) = zoo.tag(models.load("names"), text)
    labels = sorted({span.label for span in expected.spans})
    assert page.text("#tags").split() == labels
    assert page.count("#tagged .token") == len(expected.tokens)
    assert page.count("#tagged mark") == len(expected.spans) > 0
    assert page.run("[...document.querySelectorAll('#tagged sub')].map(x => x.textContent)") == [
        span.label for span in expected.spans
    ]
    colours = page.run("[...document.querySelectorAll('#tagged mark')].map(x => x.className)")
    assert colours == [f"c{labels.index(span.label)}" for span in expected.spans]
    page.run("document.querySelectorAll('#tagged sub').forEach(x => x.remove())")
    assert page.run("document.querySelector('#tagged').textContent") == text
    page.point("#tagged .token[data-index='1']")
    told = page.text("#tag_told")
    assert told.startswith(f"net: {expected.tags[1]}, ")
    assert told.endswith(" %")
    assert page.count("b") == 0  # text is no markup


def test_plain_tags_stand_at_each_word(page, models):
    page.choose("#model", "parts")
    page.fill("#untagged", "a net reads")
    submit(page, "tag")
    (expected,) = zoo.tag(models.load("parts"), "a net reads")
    assert page.text("#tagged sub") == expected.tags[0]
    assert page.count("#tagged mark") == 3
    page.click("#tagged .token[data-index='0']")
    page.press("End")
    assert page.run("document.activeElement.dataset.index") == "2"
    assert page.text("#tag_told").startswith(f"reads: {expected.tags[2]}, ")
    page.fill("#untagged", " ")
    submit(page, "tag")
    assert page.text("#tag_told") == "There are no words in the text."
    assert page.count("#tagged .token") == 0


def test_a_translation_lights_what_it_looked_at(page, models):
    page.choose("#model", "german")
    page.fill("#source", "ein Netz liest")
    submit(page, "translate")
    (expected,) = zoo.translate(models.load("german"), "ein Netz liest", n_best=5)
    assert page.text("#translation") == (expected.text or "(nothing)")
    num_rows, num_columns = expected.attention.shape
    assert page.count("#map tbody tr") == page.count("#target .token") == num_rows
    assert page.count("#map tbody td") == num_rows * num_columns
    assert page.count("#beam tbody tr") == 5
    last = num_rows - 1
    page.point(f"#target .token[data-index='{last}']")
    most = expected.source_tokens[int(expected.attention[last].argmax())]
    told = f"{expected.tokens[last]} looked most at {most}.".replace("</s>", "\u21b5 end")
    assert page.text("#attended") == told
    lit = "x.style.getPropertyValue('--part')"
    parts = page.run(f"[...document.querySelectorAll('#read .token')].map(x => {lit})")
    assert [float(part) for part in parts] == pytest.approx(expected.attention[last], rel=1e-4)
    page.point("#map tbody tr td")
    assert page.run("document.querySelector('#target .token.shown').dataset.index") == "0"


def test_a_translator_without_attention_says_so(page):
    page.choose("#model", "german_vector")
    page.fill("#source", "ein Netz")
    submit(page, "translate")
    assert "no attention" in page.text("#attended")
    assert page.run("document.querySelector('#map_part').hidden")
    assert page.count("#beam tbody tr") == 5


def test_a_mistake_is_told_on_the_page(browser, address):
    browser.open(address, width=390)
    browser.wait("document.querySelectorAll('#model option').length")
    browser.choose("#model", "lstm")
    browser.fill("#measured", "too short")
    submit(browser, "gradients")
    assert "too few to go 20 steps back" in browser.text("#gradients .trouble")
    assert browser.cut_texts() == []
