"""Chromium, driven through the pipe of its DevTools protocol, as a person would use a page."""

import base64
import contextlib
import fcntl
import itertools
import json
import os
import select
import shutil
import signal
import time
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
]
_PATIENCE_SECONDS = 60.0
# The texts that reach beyond the window, or beyond a box that neither grows nor scrolls.
_CUT = """(() => {
  const cut = [];
  const told = (what, box) => cut.push(`${what}: ${box.outerHTML.slice(0, 80)}`);
  const scrolls = (box) => ["auto", "scroll"].includes(getComputedStyle(box).overflowX);
  for (const box of document.querySelectorAll("main *, header *")) {
    if (!box.checkVisibility()) continue;
    let inside = box.parentElement;
    while (inside && !scrolls(inside)) inside = inside.parentElement;
    const right = inside ? Infinity : window.innerWidth;
    const place = box.getBoundingClientRect();
    if (place.left < -1 || place.right > right + 1) told("beyond", box);
    if (["BUTTON", "SELECT", "INPUT", "LABEL", "TH", "LI"].includes(box.tagName) &&
        box.scrollWidth > box.clientWidth + 1 && box.clientWidth && !scrolls(box))
      told("cut", box);
  }
  if (document.documentElement.scrollWidth > window.innerWidth) cut.push("the page is too wide");
  return cut;
})()"""


class Browser:
    """One headless Chromium with one page.

    Args:
        profile: a directory of its own.
    """

    def __init__(self, profile: Path):
        theirs_in, self._out = _far_pipe()
        self._in, theirs_out = _far_pipe()
        assert CHROMIUM is not None
        self._pid = os.posix_spawn(
            CHROMIUM,
            [
                CHROMIUM,
                *FLAGS,
                "--remote-debugging-pipe",
                f"--user-data-dir={profile}",
                "about:blank",
            ],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, theirs_in, 3),
                (os.POSIX_SPAWN_DUP2, theirs_out, 4),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            ],
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._numbers = itertools.count(1)
        self._unread = b""
        self._session: str | None = None
        self.complaints: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> Any:
        """A command of the protocol and its result; what the page complains of is kept."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]
            self._listen(answer)

    def _read(self) -> Any:
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._in], [], [], _PATIENCE_SECONDS)
            assert ready, "the browser does not answer"
            piece = os.read(self._in, 1 << 16)
            assert piece, "the browser is gone"
            self._unread += piece
        message, self._unread = self._unread.split(b"\0", 1)
        return json.loads(message)

    def _listen(self, event: Any) -> None:
        name, params = event.get("method"), event.get("params", {})
        if name in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
            self.complaints.append(json.dumps(params)[:500])

    def open(self, address: str, *, width: int, dark: bool = False) -> None:
        """Opens a page in a window of that width."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=address)
        self.wait("document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait(self, condition: str) -> None:
        """Waits until an expression in the page is true."""
        end = time.monotonic() + _PATIENCE_SECONDS
        while not self.run(f"Boolean({condition})"):
            assert time.monotonic() < end, f"never came: {condition}; {self.complaints}"
            time.sleep(0.02)

    def text(self, selector: str) -> str:
        """What is written there, as a person sees it."""
        return str(self.run(f"document.querySelector({json.dumps(selector)}).innerText"))

    def count(self, selector: str) -> int:
        """How many such elements there are."""
        return int(self.run(f"document.querySelectorAll({json.dumps(selector)}).length"))

    def point(self, selector: str) -> tuple[float, float]:
        """Moves the mouse onto an element, scrolled into view."""
        x, y = self.run(
            f"(() => {{ const it = document.querySelector({json.dumps(selector)});"
            "it.scrollIntoView({block: 'center'}); const box = it.getClientRects()[0];"
            "return [box.left + box.width / 2, box.top + box.height / 2]; })()"
        )
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        return x, y

    def click(self, selector: str) -> None:
        """Presses the left button on an element."""
        x, y = self.point(selector)
        button: dict[str, Any] = {"x": x, "y": y, "button": "left", "clickCount": 1}
        self.call("Input.dispatchMouseEvent", type="mousePressed", **button)
        self.call("Input.dispatchMouseEvent", type="mouseReleased", **button)

    def fill(self, selector: str, text: str) -> None:
        """Types a text in place of what a field holds."""
        self.click(selector)
        self.run(f"document.querySelector({json.dumps(selector)}).select()")
        self.call("Input.insertText", text=text)

    def press(self, key: str, *, control: bool = False) -> None:
        """Presses a key that writes nothing, such as End, possibly together with Ctrl."""
        codes = {"Enter": 13, "End": 35, "ArrowLeft": 37, "ArrowRight": 39}
        for kind in ("rawKeyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=codes[key],
                modifiers=2 if control else 0,
            )

    def choose(self, selector: str, title: str) -> None:
        """Chooses an option of a select by what it says."""
        self.run(
            f"(() => {{ const it = document.querySelector({json.dumps(selector)});"
            "it.selectedIndex = [...it.options].map((one) => one.text)"
            f".indexOf({json.dumps(title)});"
            "it.dispatchEvent(new Event('change', {bubbles: true})); })()"
        )

    def cut_texts(self) -> list[str]:
        """What can't be read in full."""
        return list(self.run(_CUT))

    def screenshot(self, path: Path) -> None:
        """A picture of the whole page."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = size | {"scale": 1}
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(shot["data"]))

    def close(self) -> None:
        """Ends the browser."""
        self._session = None
        with contextlib.suppress(OSError, AssertionError):
            self.call("Browser.close")
        end = time.monotonic() + 10
        while os.waitpid(self._pid, os.WNOHANG) == (0, 0):
            if time.monotonic() > end:
                os.kill(self._pid, signal.SIGKILL)
            time.sleep(0.02)
        os.close(self._in)
        os.close(self._out)


def _far_pipe() -> tuple[int, int]:
    """A pipe whose numbers are not those that the browser will know its own by."""
    ends = []
    for end in os.pipe():
        ends.append(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10))
        os.close(end)
    return ends[0], ends[1]
