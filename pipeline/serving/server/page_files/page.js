"use strict";
// All text from the server goes into textContent: a class may be called anything.
const FIRST = 8; // classes that are shown at once
const byId = (id) => document.getElementById(id);
const state = { models: [], image: null, name: "", answer: null, all: false, asked: 0 };

function say(text, wrong = false) {
  byId("message").textContent = text;
  byId("message").classList.toggle("wrong", wrong);
}

async function call(path, options = {}) {
  const token = sessionStorage.getItem("token");
  const headers = { ...options.headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch {
    throw new Error("The server does not answer. Is it still running?");
  }
  const content = await response.json();
  if (response.status === 401) byId("access").hidden = false;
  if (!response.ok) throw new Error(content.error || `The server answered ${response.status}.`);
  return content;
}

function rows(body, lines) {
  body.replaceChildren(...lines.map((cells) => {
    const row = document.createElement("tr");
    row.append(...cells);
    return row;
  }));
}

function cell(kind, content) {
  const element = document.createElement(kind);
  element.append(content);
  return element;
}

function options(select, names) {
  const before = select.value;
  select.replaceChildren(...names.map(([value, text]) => {
    const option = document.createElement("option");
    [option.value, option.textContent] = [value, text];
    return option;
  }));
  if (names.some(([value]) => value === before)) select.value = before;
}

const model = () => state.models.find((one) => one.name === byId("model").value) || state.models[0];
const ofModel = (what, version) => `/ui/${what}/${encodeURIComponent(model().name)}` +
  (version ? `/versions/${version}` : "");

function showModel() {
  const chosen = model();
  const available = chosen.versions.filter((one) => one.state === "AVAILABLE");
  byId("title").textContent = document.title = `Try ${chosen.name}`;
  byId("served").textContent = available.length
    ? `Version ${available[0].version}, ${chosen.classes} classes, answered by ${available[0].engine}`
    : "No version is loaded.";
  byId("model-choice").hidden = state.models.length < 2;
  byId("version-choice").hidden = available.length < 2;
  options(byId("version"), [["", "newest"], ...available.map((one) => [one.version, one.version])]);
  rows(byId("versions").tBodies[0], chosen.versions.map((one) =>
    [cell("td", one.version), cell("td", one.error ? `${one.state}: ${one.error}` : one.state), cell("td", one.engine)]));
  byId("card").textContent = chosen.card || "This model has no card.";
}

async function loadModels() {
  state.models = (await call("/ui/models")).models;
  options(byId("model"), state.models.map((one) => [one.name, one.name]));
  showModel();
}

function showAnswer() {
  const { classes: names, probabilities, known, version } = state.answer;
  const order = probabilities.map((_, number) => number).sort((a, b) => probabilities[b] - probabilities[a]);
  const percent = (share) => `${(100 * share).toFixed(1)} %`;
  const best = [cell("bdi", names[order[0]]), `, ${percent(probabilities[order[0]])}`];
  byId("answer").replaceChildren(...(known === false ? ["Not known; closest: "] : []), ...best);
  byId("by").textContent = `Answered by version ${version}.`;
  rows(byId("bars").tBodies[0], order.slice(0, state.all ? order.length : FIRST).map((number) => {
    const bar = cell("span", cell("span", ""));
    bar.className = "bar";
    bar.ariaHidden = "true";
    bar.firstChild.style.width = `${100 * probabilities[number]}%`;
    const name = cell("th", cell("bdi", names[number]));
    name.scope = "row";
    return [name, cell("td", bar), cell("td", percent(probabilities[number]))];
  }));
  byId("more").hidden = order.length <= FIRST;
  byId("more").textContent = state.all ? "Show fewer classes" : `Show all ${order.length} classes`;
  state.best = order[0];
}

async function ask() {
  const number = ++state.asked; // an answer to an earlier photo must not show up over a later one
  say("Asking the model ...");
  byId("heat").hidden = true;
  const started = performance.now();
  try {
    const answer = await call(ofModel("classify", byId("version").value), { method: "POST", body: state.image });
    if (number !== state.asked) return;
    state.answer = answer;
    state.all = false;
    showAnswer();
    byId("photo").src = URL.createObjectURL(state.image);
    byId("file-name").textContent = state.image.name || "pasted photo";
    byId("result").hidden = false;
    say(`${byId("answer").textContent}, answered in ${Math.round(performance.now() - started)} ms.`);
    byId("answer").focus({ preventScroll: true });
    if (!model().versions.some((one) => one.version === answer.version)) loadModels().catch(() => {}); // a new push
  } catch (error) {
    if (number === state.asked) { byId("result").hidden = true; say(error.message, true); }
  }
}

function take(files) {
  const image = [...files].find((file) => file.type.startsWith("image/") || /\.(heic|tiff?)$/i.test(file.name));
  if (!image) { say("That is no image.", true); return; }
  state.image = image;
  if (state.models.length) ask();
}

async function explain() {
  const number = state.asked;
  say("Looking for what spoke for this class; the first time takes some 20 seconds ...");
  byId("explain").disabled = true;
  try {
    const picture = await call(`${ofModel("explain", state.answer.version)}?class=${state.best}`,
      { method: "POST", body: state.image });
    if (number !== state.asked) return;
    const name = state.answer.classes[state.best];
    byId("heat-picture").src = picture.picture;
    byId("heat-picture").alt = `Heat map over the photo: the brighter a spot, the more it spoke for ${name}`;
    byId("heat-class").textContent = name;
    byId("heat").hidden = false;
    say("");
  } catch (error) {
    say(error.message, true);
  } finally {
    byId("explain").disabled = false;
  }
}

byId("file").addEventListener("change", (event) => { take(event.target.files); event.target.value = ""; });
byId("more").addEventListener("click", () => { state.all = !state.all; showAnswer(); });
byId("explain").addEventListener("click", explain);
byId("model").addEventListener("change", () => { showModel(); if (state.image) ask(); });
byId("version").addEventListener("change", () => { if (state.image) ask(); });
byId("access").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("token", byId("token").value);
  byId("access").hidden = true;
  loadModels().catch((error) => say(error.message, true));
});
document.addEventListener("paste", (event) => { if (event.clipboardData.files.length) take(event.clipboardData.files); });
for (const name of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    byId("drop").classList.toggle("over", name === "dragover");
    if (name === "drop") take(event.dataTransfer.files);
  });
}
loadModels().catch((error) => say(error.message, true));
