// The page of zoo/serve/app.py, whose docstring describes the API. Everything that comes from a
// model or a person is inserted as text. Only the server's chart is parsed as SVG, which runs no
// script under the page's Content-Security-Policy. The state of the page is in the address, behind
// the #, which browsers do not send to a server.

const COLOURS = 6;
const LABELS_SHOWN = 10;
const UNKNOWN_SHOWN = 10;
const find = (id) => document.getElementById(id);
let choices = []; // the entries of the list of models, see choicesOf
let chosen = null;
let writing = null; // the AbortController of the text that is being generated
const compiled = new Set(); // the uses of models that were answered, and so are compiled

// ---- Elements

function element(tag, { text = "", className = "", children = [], ...attributes } = {}) {
  const made = document.createElement(tag);
  if (text) made.textContent = text;
  if (className) made.className = className;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const percent = (part) =>
  part < 0.00005 ? "< 0.01 %" : `${(100 * part).toFixed(part < 0.0995 ? 2 : 1)} %`;
const visible = (token) =>
  token === "</s>" ? "\u21b5 end" : token.replaceAll(" ", "\u2423").replaceAll("\n", "\u21b5");

function bar({ name, part, colour = "", mark = false }) {
  const fill = element("span", { className: "fill" });
  fill.style.width = `${100 * part}%`;
  return element("li", {
    className: `${colour} ${mark ? "chosen" : ""}`,
    children: [
      element("span", { className: "name", text: (mark ? "\u2713 " : "") + name }),
      element("span", { className: "track", children: [fill] }),
      element("span", { className: "value", text: percent(part) }),
    ],
  });
}

const bars = (rows) => element("ol", { className: "bars", children: rows.map(bar) });

function legend(list, names) {
  list.replaceChildren(
    ...names.map((name, index) => {
      const key = element("span", { className: `key c${index % COLOURS}` });
      return element("li", { children: [key, document.createTextNode(name)] });
    }),
  );
}

// ---- Tokens that are shown when the mouse or an arrow key leads to them

function tokenList(box, show) {
  const tokens = () => [...box.querySelectorAll(".token")];
  const reveal = (token) => {
    for (const other of tokens()) {
      other.classList.toggle("shown", other === token);
      other.tabIndex = other === token ? 0 : -1; // the Tab key leads to one token
    }
    show(Number(token.dataset.index));
  };
  const onToken = (event) => {
    const token = event.target.closest(".token");
    if (token) reveal(token);
  };
  box.addEventListener("mouseover", onToken);
  box.addEventListener("focusin", onToken);
  box.addEventListener("keydown", (event) => {
    const at = tokens().indexOf(document.activeElement);
    const last = tokens().length - 1;
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: last }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    tokens()[Math.min(Math.max(to, 0), last)].focus();
  });
  return reveal;
}

function addToken(box, text, part, colour = "") {
  const index = box.querySelectorAll(".token").length;
  const isWord = text.length > 1 && text.startsWith(" "); // the space is not coloured
  const own = isWord ? text.slice(1) : text;
  const token = element("span", { className: `token ${colour}`, text: own, tabindex: index ? -1 : 0 });
  token.dataset.index = index;
  token.style.setProperty("--part", part);
  box.append(isWord ? " " : "", token);
}

// ---- The server

async function post(path, record, signal) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(record),
    signal,
  });
  if (!answer.ok) {
    const told = await answer.json().catch(() => ({})); // too many connections get plain text
    throw new Error(told.error ?? "The server is busy.");
  }
  return answer;
}

async function* jsonLines(answer) {
  let rest = "";
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    const lines = (rest + piece.value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      const record = JSON.parse(line);
      if (record.error) throw new Error(record.error);
      yield record;
    }
  }
}

// ---- Panels

// Makes a panel's title, its form with the text field and the button, and its messages.
function makePanel(panel) {
  const { title, button = title, field, name, label, required } = panel.dataset;
  const box = element("textarea", { id: field, name, rows: 3 });
  box.required = Boolean(required);
  const own = element("div", {
    className: "field full",
    children: [element("label", { text: label, for: field }), box],
  });
  const submit = element("button", { text: button, "aria-keyshortcuts": "Control+Enter" });
  const form = element("form", {
    children: [
      own,
      ...panel.querySelectorAll(":scope > fieldset, :scope > .fields"),
      submit,
      ...panel.querySelectorAll(":scope > button"),
      element("span", { className: "shortcut", text: "Ctrl+Enter" }),
    ],
  });
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    if (!submit.disabled) form.requestSubmit();
  });
  const message = (className, role) => {
    const made = element("p", { className, role });
    made.hidden = true;
    return made;
  };
  panel.prepend(
    element("h2", { text: title }),
    form,
    message("trouble", "alert"),
    message("busy", "status"),
    message("note unknown", "status"),
  );
}

// Shows that the server works, for how long, and that a first request compiles a program.
// Returns a function that ends this.
function showBusy(panel, button) {
  const busy = panel.querySelector(".busy");
  const use = `${panel.id} ${chosen.title}`;
  const why = compiled.has(use) ? "" : " The first request loads the model and compiles its program.";
  const seconds = element("span", { "aria-hidden": "true" });
  const start = performance.now();
  const tick = () => { seconds.textContent = ` ${Math.round((performance.now() - start) / 1000)} s`; };
  busy.replaceChildren(`Computing \u2026${why}`, seconds);
  const timer = setInterval(tick, 1000);
  button.disabled = true;
  panel.setAttribute("aria-busy", "true");
  busy.hidden = false;
  return (isDone) => {
    clearInterval(timer);
    if (isDone) compiled.add(use);
    panel.removeAttribute("aria-busy");
    busy.hidden = true;
  };
}

// Does what a panel's form asks for, and tells what went wrong.
function onSubmit(panel, work) {
  const form = panel.querySelector("form");
  const trouble = panel.querySelector(".trouble");
  const button = form.querySelector("button:not([type])");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const asked = chosen; // another model may be chosen before the answer comes
    trouble.hidden = true;
    tellUnknown(panel, []);
    remember();
    const answered = showBusy(panel, button);
    try {
      const unknown = await work(valuesOf(form), () => answered(true));
      if (unknown && chosen === asked) tellUnknown(panel, unknown);
      answered(true);
      panel.querySelector(".result").hidden = chosen !== asked;
    } catch (error) {
      if (error.name === "AbortError" || chosen !== asked) return;
      trouble.textContent = error instanceof TypeError ? "The server does not answer." : error.message;
      trouble.hidden = false;
    } finally {
      answered(false);
      button.disabled = false;
    }
  });
}

function valuesOf(form) {
  const values = {};
  for (const field of form.elements) {
    if (!field.name) continue;
    values[field.name] =
      field.type === "number" || field.tagName === "SELECT" ? Number(field.value) : field.value;
  }
  return values;
}

// Names the words or characters of a text that the model does not know.
function tellUnknown(panel, unknown) {
  const note = panel.querySelector(".unknown");
  const more = unknown.length > UNKNOWN_SHOWN ? " and more" : "";
  const names = unknown.slice(0, UNKNOWN_SHOWN).map(visible).join(", ") + more;
  note.textContent = unknown.length ? `The model does not know ${names}. It reads <unk> instead.` : "";
  note.hidden = !unknown.length;
}

// Puts a text into a field, unless a person has typed another one there.
function offer(box, text) {
  if (box.value && box.value !== box.dataset.offered) return;
  box.value = text.slice(0, box.maxLength);
  box.dataset.offered = box.value;
}

// ---- Generate

let drawn = []; // the tokens of the text
let mixed = []; // the names of the models that generate it
const revealDrawn = tokenList(find("written"), showDrawn);

function showDrawn(index) {
  const { token, probability, runners_up: others, parts, winner } = drawn[index];
  const own = { name: visible(token), part: probability, colour: "c0", mark: true };
  const rest = others.map((one) => ({ name: visible(one.token), part: one.probability }));
  const children = [element("h3", { text: "Alternatives" }), bars([own, ...rest])];
  if (parts) {
    children.push(element("h3", { text: `Most probable in ${mixed[winner]}` }));
    children.push(
      bars(
        parts.map((part, model) => ({
          name: mixed[model],
          part,
          colour: `c${model % COLOURS}`,
          mark: model === winner,
        })),
      ),
    );
  }
  find("details").replaceChildren(...children);
}

function addDrawn(record) {
  drawn.push(record);
  const isMixed = record.parts !== undefined;
  const colour = isMixed ? `c${record.winner % COLOURS}` : "";
  const text = record.token === "</s>" ? `\u21b5${record.text}` : record.text;
  addToken(find("written"), text, isMixed ? 0.7 : 1 - record.probability, colour);
}

function startText(prompt) {
  drawn = [];
  const before = prompt ? [element("span", { className: "prompt", text: prompt })] : [];
  find("written").replaceChildren(...before);
  find("details").replaceChildren();
  find("shades").hidden = chosen.names.length > 1;
}

function startTokens({ models, unknown }) {
  mixed = models;
  legend(find("winners"), models);
  find("winners").hidden = models.length < 2;
  tellUnknown(find("generate"), unknown);
}

async function generate(values, answered) {
  writing = new AbortController();
  find("stop").disabled = false;
  const asked = chosen;
  const which = chosen.names.length > 1 ? { mixture: weights() } : { model: chosen.names[0] };
  let started = false; // a request that is refused leaves the text before it
  try {
    const answer = await post("/api/generate", { ...which, ...values }, writing.signal);
    startText(values.prompt);
    started = true;
    find("generate").querySelector(".result").hidden = false;
    for await (const record of jsonLines(answer)) {
      if (record.models) startTokens(record);
      else if (record.token !== undefined) {
        answered();
        addDrawn(record);
      }
    }
  } finally {
    find("stop").disabled = true;
    if (started && chosen === asked && drawn.length) offer(find("measured"), values.prompt + drawn.map((one) => one.text).join(""));
  }
  const first = find("written").querySelector(".token");
  if (first && !find("written").contains(document.activeElement)) revealDrawn(first);
}

function weights() {
  const sliders = [...find("sliders").querySelectorAll("input")];
  return Object.fromEntries(sliders.map((slider, index) => [chosen.names[index], Number(slider.value)]));
}

function tellWeights() {
  const sliders = [...find("sliders").querySelectorAll("input")];
  const total = sliders.reduce((sum, slider) => sum + Number(slider.value), 0);
  for (const slider of sliders) {
    const part = total ? Number(slider.value) / total : 0;
    slider.nextElementSibling.textContent = `${Math.round(100 * part)} %`;
  }
}

function makeSliders(names) {
  const rows = names.map((name, index) => {
    const id = `weight_${index}`;
    const slider = element("input", { id, type: "range", min: 0, max: 100, value: 50 });
    const label = element("label", { text: name, for: id });
    return element("div", { className: "slider", children: [label, slider, element("output", { for: id })] });
  });
  find("sliders").replaceChildren(...rows);
  tellWeights();
}

// ---- Gradients

async function measure(values) {
  const answer = await post("/api/gradients", { model: chosen.names[0], ...values });
  const { title, svg, curves, reach, num_rows: rows } = await answer.json();
  find("chart_title").textContent = title;
  legend(find("curves"), curves);
  const parsed = new DOMParser().parseFromString(svg, "image/svg+xml");
  find("chart").replaceChildren(document.importNode(parsed.documentElement, true));
  const limit = reach < values.steps ? ` In training, the gradient goes only ${reach} steps back.` : "";
  const parts = rows === 1 ? "one part" : `${rows} parts`;
  find("reach").textContent = `The curves are means over ${parts} of the text.${limit}`;
}

// ---- Classify

let judged = [];
const revealJudged = tokenList(find("deciding"), (index) => {
  const { token, weight } = judged[index];
  find("weight").textContent = `${visible(token)}: ${percent(weight)} of the vector`;
});

async function classify({ text }) {
  const answer = await post("/api/classify", { model: chosen.names[0], text });
  const { labels, tokens, unknown } = await answer.json();
  const rows = labels.map((one) =>
    bar({ name: one.label, part: one.probability, mark: one.chosen, colour: one.chosen ? "c0" : "" }),
  );
  find("labels").replaceChildren(...rows.slice(0, LABELS_SHOWN));
  find("more_labels").replaceChildren(...rows.slice(LABELS_SHOWN));
  find("rest").hidden = rows.length <= LABELS_SHOWN;
  find("rest").querySelector("summary").textContent = `${rows.length - LABELS_SHOWN} more labels`;
  judged = tokens;
  find("deciding").replaceChildren();
  const largest = Math.max(...tokens.map((one) => one.weight));
  for (const one of tokens) addToken(find("deciding"), visible(one.token), one.weight / largest);
  const strongest = tokens.findIndex((one) => one.weight === largest);
  revealJudged(find("deciding").children[strongest]);
  return unknown;
}

// ---- Tag

let taggedTokens = [];
const revealTagged = tokenList(find("tagged"), (index) => {
  const { token, tag, probability } = taggedTokens[index];
  find("tag_told").textContent = `${visible(token)}: ${tag}, ${percent(probability)}`;
});

// Makes the element of a word. The surer the model is of its tag, the stronger is its colour.
function taggedWord(index, colour) {
  const { token, probability } = taggedTokens[index];
  const word = element("span", { className: `token ${colour}`, text: token, tabindex: index ? -1 : 0 });
  word.dataset.index = index;
  word.style.setProperty("--part", colour ? probability : 0);
  return word;
}

function marked({ start, end, label: name }, colour) {
  const words = [];
  for (let index = start; index < end; index++) {
    if (index > start) words.push(taggedTokens[index].before);
    words.push(taggedWord(index, colour));
  }
  return element("mark", { className: colour, children: [...words, element("sub", { text: name })] });
}

async function tag({ text }) {
  const answer = await post("/api/tag", { model: chosen.names[0], text });
  const { tokens, rest, marks, unknown } = await answer.json();
  taggedTokens = tokens;
  const names = [...new Set(marks.map((mark) => mark.label))].sort();
  const colour = (name) => `c${names.indexOf(name) % COLOURS}`;
  legend(find("tags"), names);
  const parts = [];
  let at = 0;
  for (const mark of [...marks, { start: tokens.length }]) {
    for (; at < mark.start; at++) parts.push(tokens[at].before, taggedWord(at, ""));
    if (mark.end) parts.push(tokens[at].before, marked(mark, colour(mark.label)));
    at = mark.end;
  }
  find("tagged").replaceChildren(...parts, rest);
  find("tag_told").textContent = tokens.length ? "" : "There are no words in the text.";
  const first = find("tagged").querySelector("mark .token, .token");
  if (first) revealTagged(first);
  return unknown;
}

// ---- Translate

let translation = null;
const revealTarget = tokenList(find("target"), showAttention);

function showAttention(index) {
  if (!translation.attention) return;
  const row = translation.attention[index];
  const read = [...find("read").children];
  read.forEach((token, place) => token.style.setProperty("--part", row[place]));
  const most = translation.source_tokens[row.indexOf(Math.max(...row))];
  find("attended").textContent =
    `\u201c${visible(translation.tokens[index])}\u201d attends most to \u201c${visible(most)}\u201d.`;
  const rows = [...find("map").querySelectorAll("tbody tr")];
  rows.forEach((one, place) => one.classList.toggle("shown", place === index));
}

function drawMap({ tokens, source_tokens: sources, attention }) {
  const names = sources.map((name) => element("th", { text: visible(name), scope: "col" }));
  const head = element("tr", { children: [element("td"), ...names] });
  const rows = attention.map((row, index) => {
    const cells = row.map((weight) => {
      const cell = element("td", { text: weight < 0.005 ? "" : weight.toFixed(2).slice(1) });
      if (weight >= 0.995) cell.textContent = "1";
      cell.style.setProperty("--part", weight);
      return cell;
    });
    const name = element("th", { text: visible(tokens[index]), scope: "row" });
    const made = element("tr", { children: [name, ...cells] });
    made.addEventListener("mouseover", () => revealTarget(find("target").children[index]));
    return made;
  });
  const body = element("tbody", { children: rows });
  find("map").replaceChildren(element("thead", { children: [head] }), body);
}

async function translate(values) {
  const answer = await post("/api/translate", { model: chosen.names[0], ...values });
  translation = await answer.json();
  find("translation").textContent = translation.text || "(empty)";
  find("cut").hidden = !translation.is_cut;
  for (const [box, tokens] of [["read", translation.source_tokens], ["target", translation.tokens]]) {
    find(box).replaceChildren();
    for (const token of tokens) addToken(find(box), visible(token), 0);
  }
  for (const token of find("read").children) token.removeAttribute("tabindex");
  find("map_part").hidden = !translation.attention;
  find("attended").textContent = translation.attention
    ? ""
    : "This model has no attention: one vector holds the whole source.";
  if (translation.attention) drawMap(translation);
  if (translation.tokens.length) revealTarget(find("target").children[0]);
  find("beam").tBodies[0].replaceChildren(
    ...translation.beam.map(({ text, score }) =>
      element("tr", { children: [element("td", { text: score.toFixed(3) }), element("td", { text })] }),
    ),
  );
  return translation.unknown;
}

// ---- The state in the address

// The fields of the panels that are shown.
const shownFields = () =>
  [...document.querySelectorAll("section:not([hidden]) form")]
    .flatMap((form) => [...form.elements])
    .filter((field) => field.id && field.matches("input, select, textarea"));

// Writes the model and the fields into the address, so that a link leads back to this state.
function remember() {
  const state = new URLSearchParams({ model: chosen.title });
  for (const field of shownFields()) state.set(field.id, field.value);
  history.replaceState(null, "", `#${state}`);
}

// Chooses the model and fills in the fields that the address names.
function recall() {
  const state = new URLSearchParams(location.hash.slice(1));
  const index = choices.findIndex(({ title }) => title === state.get("model"));
  find("model").selectedIndex = Math.max(index, 0);
  choose();
  for (const field of shownFields()) {
    const value = state.get(field.id);
    if (value !== null) field.value = field.maxLength > 0 ? value.slice(0, field.maxLength) : value;
  }
  find("steps").value ||= find("steps").options[1].value;
  tellWeights();
}

// ---- Choosing a model

function choicesOf(models) {
  const single = models.map((model) => ({
    title: model.name,
    use: model.use,
    names: [model.name],
    hasGradients: model.has_gradients,
    about: [model.summary, model.language].filter(Boolean).join(". Language: "),
    example: model.example,
    passage: model.passage,
  }));
  const groups = new Map();
  for (const model of models.filter((one) => one.mixes_with.length)) {
    const names = models.map((one) => one.name)
      .filter((name) => name === model.name || model.mixes_with.includes(name));
    groups.set(names.join("\n"), { ...model, names });
  }
  const mixtures = [...groups.values()].map(({ names, language, example }) => ({
    title: `mixture of ${names.join(", ")}`,
    use: "generate",
    names,
    hasGradients: false,
    about: ["The weighted mean of the models' probabilities", language].filter(Boolean).join(". Language: "),
    example,
    passage: "",
  }));
  return [...single, ...mixtures];
}

function choose() {
  writing?.abort();
  chosen = choices[find("model").selectedIndex];
  for (const use of ["generate", "classify", "tag", "translate"]) find(use).hidden = chosen.use !== use;
  find("gradients").hidden = !chosen.hasGradients;
  for (const part of document.querySelectorAll(".result, .trouble, .note")) part.hidden = true;
  find("about").textContent = chosen.about && `${chosen.about}.`;
  offer(find(chosen.use).querySelector("textarea"), chosen.example);
  offer(find("measured"), chosen.passage);
  find("weights").hidden = chosen.names.length < 2;
  makeSliders(chosen.names.length > 1 ? chosen.names : []);
}

function setLimits(limits) {
  for (const box of document.querySelectorAll("textarea")) box.maxLength = limits.characters;
  for (const name of ["max_tokens", "temperature", "beam_size", "length_penalty"]) {
    find(name).max = limits[name];
  }
  find("steps").replaceChildren(...limits.steps.map((steps) => element("option", { text: String(steps) })));
  find("steps").selectedIndex = 1;
}

async function start() {
  const works = { generate, gradients: measure, classify, tag, translate };
  for (const [name, work] of Object.entries(works)) {
    makePanel(find(name));
    onSubmit(find(name), work);
  }
  find("stop").addEventListener("click", () => writing.abort());
  find("sliders").addEventListener("input", tellWeights);
  find("equal").addEventListener("click", () => { makeSliders(chosen.names); remember(); });
  find("model").addEventListener("change", choose);
  document.addEventListener("change", () => { if (chosen) remember(); });
  addEventListener("hashchange", recall);
  try {
    const { models, limits } = await (await fetch("/api/models")).json();
    choices = choicesOf(models);
    find("model").replaceChildren(...choices.map(({ title }) => element("option", { text: title })));
    setLimits(limits);
    recall();
  } catch {
    find("trouble").textContent = "The server does not answer.";
    find("trouble").hidden = false;
  }
}

start();
