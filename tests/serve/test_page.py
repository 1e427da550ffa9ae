"""The page as a person uses it, in a real browser, narrow and wide, dark and light."""

import socket
import threading

import pytest
import uvicorn
from accessibility import FAULTS
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
    """Presses a panel's button and waits for the answer."""
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
    assert page.text("#generate .unknown").startswith("The model does not know strange.")
    assert page.text("#winners").split() == ["lstm", "gru", "counts"]
    page.point(TOKEN)
    assert page.count("#details li") == 9
    winner = page.text("#details ol:last-child .chosen .name").removeprefix("\u2713 ")
    assert page.text("#details h3:nth-of-type(2)") == f"Most probable in {winner}"
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
    assert page.text("#translation") == (expected.text or "(empty)")
    num_rows, num_columns = expected.attention.shape
    assert page.count("#map tbody tr") == page.count("#target .token") == num_rows
    assert page.count("#map tbody td") == num_rows * num_columns
    assert page.count("#beam tbody tr") == 5
    last = num_rows - 1
    page.point(f"#target .token[data-index='{last}']")
    most = expected.source_tokens[int(expected.attention[last].argmax())]
    told = f"\u201c{expected.tokens[last]}\u201d attends most to \u201c{most}\u201d."
    told = told.replace("</s>", "\u21b5 end")
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


def test_each_view_opens_with_an_example_a_summary_and_a_name(page):
    expected = {
        "lstm": ("#prompt", "A language model.", "Prompt"),
        "topics": ("#labelled", "A classifier.", "Text to classify"),
        "german": ("#source", "A translator.", "Text to translate"),
        "names": ("#untagged", "A tagger.", "Text to tag"),
    }
    for title, (box, about, label) in expected.items():
        page.choose("#model", title)
        assert len(page.run(f"document.querySelector('{box}').value").split()) > 2
        assert page.text("#about") == about
        assert page.text(f"label[for='{box[1:]}']") == label
    page.choose("#model", "lstm")
    page.fill("#prompt", "my own text")
    page.choose("#model", "gru")
    assert page.run("document.querySelector('#prompt').value") == "my own text"
    assert len(page.run("document.querySelector('#measured').value").split()) > 50


def test_the_state_is_in_the_address(page, address):
    page.choose("#model", "german")
    page.fill("#source", "ein Netz & mehr")
    page.fill("#beam_size", "3")
    submit(page, "translate")
    link = page.run("location.href")
    page.choose("#model", "topics")
    assert "topics" in page.run("location.hash")
    page.open("about:blank", width=390)
    page.open(link, width=390)
    page.wait("document.querySelectorAll('#model option').length")
    assert page.run("document.querySelector('#model').selectedOptions[0].text") == "german"
    assert page.run("document.querySelector('#source').value") == "ein Netz & mehr"
    assert page.run("document.querySelector('#beam_size').value") == "3"
    submit(page, "translate")
    assert page.count("#beam tbody tr") == 3
    page.run(f"location.href = {address + '/#model=characters&max_tokens=7'!r}")
    page.wait("!document.querySelector('#generate').hidden")
    assert page.run("document.querySelector('#max_tokens').value") == "7"
    assert page.run("document.querySelector('#temperature').value") == "0.8"


def test_control_and_enter_submit(page):
    page.choose("#model", "topics")
    page.fill("#labelled", "a net")
    page.press("Enter", control=True)
    page.wait("document.querySelectorAll('#labels li').length")
    assert page.run("document.querySelector('#labelled').value") == "a net"


def test_the_page_says_that_it_is_busy(page):
    page.choose("#model", "topics")
    page.run(
        "window.plain = window.fetch; window.fetch = (...given) =>"
        " new Promise((resolve) => { window.go = () => resolve(window.plain(...given)); })"
    )
    page.click("#classify form > button")
    page.wait("!document.querySelector('#classify .busy').hidden")
    assert "loads the model and compiles its program" in page.text("#classify .busy")
    assert page.run("document.querySelector('#classify').getAttribute('aria-busy')") == "true"
    page.run("window.fetch = window.plain; window.go()")
    page.wait("!document.querySelector('#classify form > button').disabled")
    assert page.run("document.querySelector('#classify .busy').hidden")
    assert page.run("document.querySelector('#classify').getAttribute('aria-busy')") is None
    page.run(
        "window.fetch = (...given) =>"
        " new Promise((resolve) => { window.go = () => resolve(window.plain(...given)); })"
    )
    page.click("#classify form > button")
    page.wait("!document.querySelector('#classify .busy').hidden")
    assert "compiles" not in page.text("#classify .busy")  # only the first request does
    page.run("window.fetch = window.plain; window.go()")
    page.wait("!document.querySelector('#classify form > button').disabled")


@pytest.mark.parametrize(
    ("title", "panel", "box", "text"),
    [
        ("lstm", "generate", "#prompt", "a strange net"),
        ("topics", "classify", "#labelled", "a strange net"),
        ("names", "tag", "#untagged", "a strange net"),
        ("german", "translate", "#source", "ein strange Netz"),
    ],
)
def test_unknown_words_are_told_for_every_task(page, title, panel, box, text):
    page.choose("#model", title)
    page.fill(box, text)
    submit(page, panel)
    told = page.text(f"#{panel} .unknown")
    assert told == "The model does not know strange. It reads <unk> instead."
    page.fill(box, text.replace("strange ", ""))
    submit(page, panel)
    assert page.run(f"document.querySelector('#{panel} .unknown').hidden")


def test_on_a_telephone_the_text_stands_before_its_details(browser, address):
    browser.open(address + "/#model=characters&max_tokens=20", width=375)
    browser.wait("document.querySelectorAll('#model option').length")
    submit(browser, "generate")
    bottom = browser.run("document.querySelector('#written').getBoundingClientRect().bottom")
    assert bottom <= browser.run("document.querySelector('#details').getBoundingClientRect().top")


def test_nothing_keeps_people_from_using_the_page(page):
    panels = {"characters": "generate", "topics": "classify", "german": "translate", "names": "tag"}
    for title, panel in panels.items():
        page.choose("#model", title)
        assert page.run(FAULTS) == [], title
        submit(page, panel)
        assert page.count(f"#{panel} .result:not([hidden])") == 1
        assert page.run(FAULTS) == [], title
    page.choose("#model", "mixture of lstm, gru, counts")
    submit(page, "generate")
    assert page.run(FAULTS) == []


def test_the_check_of_faults_finds_faults(page):
    page.run(
        "document.querySelector('main').insertAdjacentHTML('beforeend', `<h4>Too deep</h4>"
        "<input><p id=pale>pale</p><b tabindex=3>x</b>`);"
        "Object.assign(document.querySelector('#pale').style,"
        " {color: 'grey', background: 'darkgrey'});"
        "document.body.insertAdjacentHTML('beforeend', '<p id=about>outside</p>')"
    )
    found = page.run(FAULTS)
    for fault in ("no name", "order of focus", "no landmark", "levels", "an id", "contrast"):
        assert any(one.startswith(fault) for one in found), fault


def test_a_mistake_is_told_on_the_page(browser, address):
    browser.open(address, width=390)
    browser.wait("document.querySelectorAll('#model option').length")
    browser.choose("#model", "lstm")
    browser.fill("#measured", "too short")
    submit(browser, "gradients")
    assert "too few to go 20 steps back" in browser.text("#gradients .trouble")
    assert browser.cut_texts() == []
