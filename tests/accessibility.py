"""A check of what keeps people from using a page: names, focus, landmarks, headings, contrast.

It is a small part of what axe-core checks, which needs a download.
"""

# An expression in a page: its faults, an empty list if there are none. Contrast is that of
# WCAG 2.2, 1.4.3, of texts on a plain ground.
FAULTS = """(() => {
  const faults = [];
  const shown = [...document.body.querySelectorAll("*")].filter((one) => one.checkVisibility());
  const name = (one) => one.ariaLabel || one.labels?.[0]?.innerText || one.innerText || "";
  for (const one of shown) {
    const told = `${one.tagName} ${one.id || one.className}`;
    if (one.matches("input, select, textarea, button, summary, [role=group], [role=region], svg") &&
        !name(one).trim()) faults.push(`no name: ${told}`);
    if (one.matches("[tabindex]") && one.tabIndex > 0) faults.push(`order of focus: ${told}`);
    if (one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX === "auto" &&
        one.tabIndex < 0 && !one.querySelector("[tabindex='0']"))
      faults.push(`no keyboard: ${told}`);
    if (one.innerText?.trim() && !one.closest("header, main")) faults.push(`no landmark: ${told}`);
    for (const id of (one.getAttribute("aria-describedby") || "").split(" "))
      if (id && !document.getElementById(id)) faults.push(`no such id: ${told}`);
  }
  const levels = shown.filter((one) => /^H[1-6]$/.test(one.tagName)).map((one) => +one.tagName[1]);
  if (levels[0] !== 1 || levels.filter((level) => level === 1).length !== 1) faults.push("no h1");
  levels.forEach((level, at) => { if (level > (levels[at - 1] ?? 0) + 1) faults.push("levels"); });
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  if (new Set(ids).size !== ids.length) faults.push("an id stands twice");
  if (!document.documentElement.lang || !document.title) faults.push("no language or title");
  if (document.querySelectorAll("main").length !== 1) faults.push("no main");
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const light = (colours) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  for (const one of shown) {
    const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || one.closest("svg, :disabled, option, noscript")) continue;
    const grounds = [];
    for (let at = one; at; at = at.parentElement)
      grounds.unshift(getComputedStyle(at).backgroundColor);
    const below = light(grounds);
    const above = light([...grounds, getComputedStyle(one).color]);
    const contrast = (Math.max(below, above) + 0.05) / (Math.min(below, above) + 0.05);
    if (contrast < 4.5) faults.push(`contrast ${contrast.toFixed(1)}: ${one.outerHTML}`);
  }
  return faults;
})()"""
