// Ties the parts together.

const grid = new Grid(byId("grid"), open);
const viewer = new Viewer(byId("viewer"), (by) => move(by), () => grid.place.focus({ preventScroll: true }));
const moment = new Moment(byId("moment"), (row, choice) => decide(row, choice));
let histogram = null;
let saying = 0;

function open() {
  viewer.show(state.list[state.active]);
}

// Show the neighbour in the viewer.
function move(by) {
  const there = state.list[state.active] === viewer.row;
  // What has left the list has left its place to the next.
  const target = state.active + (there ? by : Math.min(by, 0));
  if (target < 0 || target >= state.list.length) return;
  grid.choose(target);
  open();
}

// The list follows filter, order and threshold; the chosen image stays chosen while it is in the list.
function relist() {
  const kept = state.list[state.active];
  state.list = chosen();
  const at = state.list.indexOf(kept);
  state.active = at >= 0 ? at : Math.max(0, Math.min(state.active, state.list.length - 1));
  const text = `${state.list.length} of ${rows.length} images`;
  byId("showing").textContent = state.list.length === rows.length ? text.replace(/^\d+ of /, "") : text;
  grid.renew();
  viewer.say();
}

// The image that keys are about: in the dialogs, or in the grid.
const current = () => (moment.open ? moment.row : viewer.open ? viewer.row : state.list[state.active]);

// The reviewer keeps or rejects an image, whatever its score; the same decision again takes it back.
function decide(row, choice) {
  if (!row) return;
  row.choice = choice;
  state.saved = false;
  tally();
  // An image may leave the list that is shown.
  if (state.show === "all") {
    grid.draw();
    viewer.say();
  } else relist();
  if (moment.open) moment.say();
}

const toggle = (row, choice) => decide(row, row?.choice === choice ? "" : choice);

function setThreshold(value) {
  state.threshold = value;
  const field = byId("threshold");
  if (document.activeElement !== field) field.value = Number(value.toPrecision(5));
  histogram.follow();
  tally();
  if (state.show === "all") {
    grid.draw();
    viewer.say();
  } else relist();
}

function tally() {
  const { sharp, blurred, undefined: without, chosen: decided } = counts();
  byId("count-chosen").textContent = decided;
  byId("line-chosen").hidden = decided === 0;
  byId("count-sharp").textContent = sharp;
  byId("count-blurred").textContent = blurred;
  byId("count-undefined").textContent = without;
  const text = `Threshold ${shortNumber(state.threshold)}: ${sharp} sharp, ${blurred} blurred`;
  histogram.handle.setAttribute("aria-valuetext", text);
  // Who listens is told once, when the threshold has come to rest.
  clearTimeout(saying);
  saying = setTimeout(() => (byId("said").textContent = text), 600);
}

// To the first image on the far side of the threshold, in the order of the grid.
function goToThreshold() {
  const far = { best: "blurred", worst: "sharp" }[state.order];
  const at = state.list.findIndex((r) => verdict(r) === far);
  if (at >= 0) grid.choose(at);
}

function keys(event) {
  const field = event.target.closest?.("input, select, textarea");
  if (event.ctrlKey || event.metaKey || event.altKey || (field && field.type !== "checkbox")) return;
  const decisions = { k: "keep", x: "reject" };
  if (event.key.toLowerCase() in decisions) toggle(current(), decisions[event.key.toLowerCase()]);
  else if (event.key.toLowerCase() === "u") decide(current(), "");
  else if (event.key.toLowerCase() === "g" && current() && !moment.open) moment.show(current());
  else if (event.key === "+" || event.key === "=") histogram.step(1);
  else if (event.key === "-" || event.key === "−") histogram.step(-1);
  else if ((event.key === "t" || event.key === "T") && !viewer.open) goToThreshold();
  else if (event.target === document.body) {
    if (grid.key(event)) grid.place.focus({ preventScroll: true });
    return;
  } else return;
  event.preventDefault();
}

function listen() {
  addEventListener("keydown", keys);
  for (const [id, key] of [["text", "text"], ["show", "show"], ["order", "order"]]) {
    byId(id).addEventListener("input", () => {
      state[key] = byId(id).value;
      relist();
    });
  }
  byId("undefined").addEventListener("input", () => {
    state.undefinedAs = byId("undefined").value;
    tally();
    relist();
  });
  byId("threshold").addEventListener("input", (event) => {
    const value = event.target.valueAsNumber;
    if (Number.isFinite(value)) setThreshold(value);
  });
  byId("threshold").addEventListener("blur", () => setThreshold(state.threshold));
  byId("logarithmic").addEventListener("input", (event) => {
    histogram.logarithmic = event.target.checked;
    histogram.draw();
  });
  for (const button of document.querySelectorAll("[data-list]")) {
    button.addEventListener("click", () => {
      saveList(button.dataset.list, button.dataset.form);
      state.saved ||= button.dataset.list === "choice";
    });
  }
  byId("keep").addEventListener("click", () => toggle(viewer.row, "keep"));
  byId("reject").addEventListener("click", () => toggle(viewer.row, "reject"));
  // A choice is lost with the page.
  addEventListener("beforeunload", (event) => counts().chosen && !state.saved && event.preventDefault());
  byId("line-failed").addEventListener("click", () => (byId("failed").open = true));
}

// What does not change.
function label() {
  const failed = byId("failed").querySelectorAll("tbody tr").length;
  const [measure, ...others] = settings.measures;
  const grouped = rows.some((r) => r.moment !== null);
  for (const part of document.querySelectorAll(".of-moments")) part.hidden = !grouped;
  if (grouped) byId("order").append(new Option("by moment, side by side", "moment"));
  byId("order").append(...others.map((name, n) => new Option(`by ${name}, largest first`, n + 1)));
  byId("subject").textContent = `${rows.length} images by ${measure}: higher is sharper`;
  byId("count-failed").textContent = failed;
  byId("failed").querySelector("summary").textContent = `${failed} failed`;
  byId("failed").hidden = byId("line-failed").hidden = failed === 0;
  byId("line-undefined").hidden = byId("undefined-label").hidden = scores.length === rows.length;
  byId("logarithmic-label").hidden = !canBeLogarithmic();
  const given = Number(settings.threshold ?? NaN);
  byId("note").textContent = Number.isNaN(given)
    ? settings.note || "No threshold was given: drag the line."
    : settings.note && `Began at ${shortNumber(given)}: ${settings.note}`;
  byId("note").hidden = !byId("note").textContent;
}

function begin() {
  label();
  histogram = new Histogram(byId("histogram"), setThreshold);
  byId("logarithmic").checked = histogram.logarithmic;
  // Without a threshold the line stands where it parts nothing.
  const given = settings.threshold === null ? -Infinity : Number(settings.threshold);
  const { high, score } = histogram.axis;
  state.list = chosen();
  listen();
  grid.measure();
  setThreshold(Number.isFinite(given) ? given : given < 0 ? (scores[0] ?? 0) : score(high));
  relist();
}

begin();
