// The page of zoo/serve/app.py, whose docstring describes the API. All that comes from a model or
// a person is put in as text; only the server's chart is parsed, as SVG, which runs no script
// under the page's Content-Security-Policy.

const COLOURS = 6;
const LABELS_SHOWN = 10;
const UNKNOWN_SHOWN = 10;
const find = (id) => document.getElementById(id);
let choices = []; // what can be chosen at the top: {title, use, names, hasGradients}
let chosen = null;
let writing = null; // the AbortController of the text that is being written

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

// ---- Tokens that are shown when pointed at, or walked through with the arrow keys

function tokenList(box, show) {
  const tokens = () => [...box.querySelectorAll(".token")];
  const reveal = (token) => {
    for (const other of tokens()) {
      other.classList.toggle("shown", other === token);
      other.tabIndex = other === token ? 0 : -1; // Tab leads to one of them
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
  const isWord = text.length > 1 && text.startsWith(" "); // its space belongs to neither word
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
  if (!answer.ok) throw new Error((await answer.json()).error);
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

// Runs what a panel's form asks for, and tells what went wrong.
function onSubmit(panel, work) {
  const form = panel.querySelector("form");
  const trouble = panel.querySelector(".trouble");
  const button = form.querySelector("button:not([type])");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const asked = chosen; // another one may be chosen before the answer comes
    trouble.hidden = true;
    button.disabled = true;
    try {
      await work(valuesOf(form));
      panel.querySelector(".result").hidden = chosen !== asked;
    } catch (error) {
      if (error.name === "AbortError" || chosen !== asked) return;
      trouble.textContent = error instanceof TypeError ? "The server does not answer." : error.message;
      trouble.hidden = false;
    } finally {
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

// ---- Write

let drawn = []; // the tokens of the text at hand
let mixed = []; // the names of its models
const revealDrawn = tokenList(find("written"), showDrawn);

function showDrawn(index) {
  const { token, probability, runners_up: others, parts, winner } = drawn[index];
  const own = { name: visible(token), part: probability, colour: "c0", mark: true };
  const rest = others.map((one) => ({ name: visible(one.token), part: one.probability }));
  const children = [element("h3", { text: "Drawn, and what else might have come" }), bars([own, ...rest])];
  if (parts) {
    children.push(element("h3", { text: `Won by ${mixed[winner]}` }));
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
  find("unknown").hidden = !unknown.length;
  const more = unknown.length > UNKNOWN_SHOWN ? " and more" : "";
  const names = unknown.slice(0, UNKNOWN_SHOWN).join(", ") + more;
  find("unknown").textContent = `The model does not know ${names}; it reads <unk> there.`;
}

async function write(values) {
  writing = new AbortController();
  find("stop").disabled = false;
  const which = chosen.names.length > 1 ? { mixture: weights() } : { model: chosen.names[0] };
  try {
    const answer = await post("/api/generate", { ...which, ...values }, writing.signal);
    startText(values.prompt);
    find("generate").querySelector(".result").hidden = false;
    for await (const record of jsonLines(answer)) {
      if (record.models) startTokens(record);
      else if (record.token !== undefined) addDrawn(record);
    }
  } finally {
    find("stop").disabled = true;
    offerText(values.prompt);
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

let isMeasuredTyped = false; // else the text that was written is offered

function offerText(prompt) {
  if (isMeasuredTyped) return;
  const text = prompt + drawn.map((one) => one.text).join("");
  find("measured").value = text.slice(0, find("measured").maxLength);
}

async function measure(values) {
  const answer = await post("/api/gradients", { model: chosen.names[0], ...values });
  const { title, svg, curves, reach, num_rows: rows } = await answer.json();
  find("chart_title").textContent = title;
  legend(find("curves"), curves);
  const parsed = new DOMParser().parseFromString(svg, "image/svg+xml");
  find("chart").replaceChildren(document.importNode(parsed.documentElement, true));
  const limit = reach < values.steps ? ` Training goes only ${reach} steps back.` : "";
  find("reach").textContent = `The mean over ${rows} stretches of the text.${limit}`;
}

// ---- Label

let judged = [];
const revealJudged = tokenList(find("deciding"), (index) => {
  const { token, weight } = judged[index];
  find("weight").textContent = `${visible(token)}: ${percent(weight)} of the whole`;
});

async function label({ text }) {
  const answer = await post("/api/classify", { model: chosen.names[0], text });
  const { labels, tokens } = await answer.json();
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
}

// ---- Tag

let taggedTokens = [];
const revealTagged = tokenList(find("tagged"), (index) => {
  const { token, tag, probability } = taggedTokens[index];
  find("tag_told").textContent = `${visible(token)}: ${tag}, ${percent(probability)}`;
});

// A word; its colour is that of the mark it stands in, as strong as the model is sure.
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
  const { tokens, rest, marks } = await answer.json();
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
    `${visible(translation.tokens[index])} looked most at ${visible(most)}.`;
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
  find("translation").textContent = translation.text || "(nothing)";
  find("cut").hidden = !translation.is_cut;
  for (const [box, tokens] of [["read", translation.source_tokens], ["target", translation.tokens]]) {
    find(box).replaceChildren();
    for (const token of tokens) addToken(find(box), visible(token), 0);
  }
  for (const token of find("read").children) token.removeAttribute("tabindex");
  find("map_part").hidden = !translation.attention;
  find("attended").textContent = "This model has no attention: one vector holds all of the source.";
  if (translation.attention) drawMap(translation);
  if (translation.tokens.length) revealTarget(find("target").children[0]);
  find("beam").tBodies[0].replaceChildren(
    ...translation.beam.map(({ text, score }) =>
      element("tr", { children: [element("td", { text: score.toFixed(3) }), element("td", { text })] }),
    ),
  );
}

// ---- Choosing a model

function choicesOf(models) {
  const single = models.map((model) => ({
    title: model.name,
    use: model.use,
    names: [model.name],
    hasGradients: model.has_gradients,
  }));
  const groups = new Map();
  for (const model of models.filter((one) => one.mixes_with.length)) {
    const names = models.map((one) => one.name)
      .filter((name) => name === model.name || model.mixes_with.includes(name));
    groups.set(names.join("\n"), names);
  }
  const mixtures = [...groups.values()].map((names) => ({
    title: `mixture of ${names.join(", ")}`,
    use: "generate",
    names,
    hasGradients: false,
  }));
  return [...single, ...mixtures];
}

function choose() {
  writing?.abort();
  chosen = choices[find("model").selectedIndex];
  for (const use of ["generate", "classify", "tag", "translate"]) find(use).hidden = chosen.use !== use;
  find("gradients").hidden = !chosen.hasGradients;
  for (const part of document.querySelectorAll(".result, .trouble, .note")) part.hidden = true;
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
  onSubmit(find("generate"), write);
  onSubmit(find("gradients"), measure);
  onSubmit(find("classify"), label);
  onSubmit(find("tag"), tag);
  onSubmit(find("translate"), translate);
  find("stop").addEventListener("click", () => writing.abort());
  find("sliders").addEventListener("input", tellWeights);
  find("equal").addEventListener("click", () => makeSliders(chosen.names));
  find("measured").addEventListener("input", () => { isMeasuredTyped = find("measured").value !== ""; });
  find("model").addEventListener("change", choose);
  try {
    const { models, limits } = await (await fetch("/api/models")).json();
    choices = choicesOf(models);
    find("model").replaceChildren(...choices.map(({ title }) => element("option", { text: title })));
    setLimits(limits);
    choose();
  } catch {
    find("trouble").textContent = "The server does not answer.";
    find("trouble").hidden = false;
  }
}

start();
