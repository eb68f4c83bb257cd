"use strict";
// What the page shows: the images, which of them are sharp, and the lists that are saved.

const byId = (id) => document.getElementById(id);
const settings = JSON.parse(byId("settings").textContent);
// A name as one line that shows what is in it: controls, and marks that turn the direction of writing, as in C.
const UNPRINTABLE = /[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]|(?<![\ud800-\udbff])[\udc80-\udcff]/g;
const SHORT = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };
function printable(text) {
  return text.replace(UNPRINTABLE, (char) => {
    // A byte that is no text comes as half a character.
    const code = char >= "\udc80" ? char.charCodeAt(0) - 0xdc00 : char.charCodeAt(0);
    const digits = code.toString(16);
    return SHORT[char] ?? (code < 0x100 ? `\\x${digits.padStart(2, "0")}` : `\\u${digits.padStart(4, "0")}`);
  });
}

// Where a frame is in its video.
const place = (frame, time) => (frame === null ? "" : ` frame ${frame} (${time.toFixed(2)} s)`);

const rows = JSON.parse(byId("rows").textContent).map(([path, link, stem, width, height, bytes, preview, values, frame, time, moment]) => ({
  path, link, stem, width, height, bytes, preview, values, frame, time, moment,
  // The reviewer's own decision, which counts more than the score: "keep", "reject" or nothing.
  choice: "",
  // A missing value is undefined: no score is to be had of such an image.
  value: values[0],
  // To be shown only; Windows parts names by the other stroke.
  shown: printable(path) + place(frame, time),
  name: printable(path.split(/[/\\]/).at(-1) || path) + place(frame, time),
  sought: path.toLowerCase(),
}));
const scores = Float64Array.from(rows.map((r) => r.value).filter((v) => v !== null)).sort();

const state = {
  threshold: 0, undefinedAs: "neither", text: "", show: "all", order: "best",
  // Rows in the order of the grid, and which of them is chosen.
  list: [], active: 0,
  // Whether the choice was saved since the last decision.
  saved: false,
};

// How many images each moment has.
const sizes = new Map();
for (const { moment } of rows) sizes.set(moment, (sizes.get(moment) ?? 0) + 1);
const sharesMoment = (row) => row.moment !== null && sizes.get(row.moment) > 1;

// "sharp", "blurred", or "undefined": what the score says.
function verdict(row) {
  return row.value === null ? "undefined" : row.value < state.threshold ? "blurred" : "sharp";
}

// The list an image goes to, null where it goes to neither. A decision of the reviewer counts more than the score.
function listOf(row) {
  if (row.choice) return row.choice === "keep" ? "sharp" : "blurred";
  if (row.value !== null) return verdict(row);
  return state.undefinedAs === "neither" ? null : state.undefinedAs;
}

// How many images each list has, how many have no score, and how many were decided by the reviewer.
function counts() {
  const found = { sharp: 0, blurred: 0, undefined: 0, chosen: 0 };
  for (const row of rows) {
    const list = listOf(row);
    if (list) found[list] += 1;
    if (row.value === null) found.undefined += 1;
    if (row.choice) found.chosen += 1;
  }
  return found;
}

const collator = new Intl.Collator("en", { numeric: true });
const ORDERS = {
  best: (a, b) => b.value - a.value,
  worst: (a, b) => a.value - b.value,
  name: (a, b) => collator.compare(a.path, b.path) || (a.frame ?? 0) - (b.frame ?? 0),
  // The images of a moment side by side, the best first.
  moment: (a, b) => (a.moment ?? Infinity) - (b.moment ?? Infinity) || b.value - a.value,
};
const BY_VALUE = ["best", "worst"];
let ordered = { by: null, rows: [] };

// Rows in the chosen order: one of ORDERS, or the number of a value, the largest first. Undefined values come last.
function inOrder() {
  if (ordered.by !== state.order) {
    const number = Number(state.order);
    const compare = ORDERS[state.order] ?? ((a, b) => b.values[number] - a.values[number]);
    const byValue = BY_VALUE.includes(state.order) || !(state.order in ORDERS);
    const last = (r) => (byValue && (r.values[number || 0] ?? null) === null ? 1 : 0);
    ordered = { by: state.order, rows: [...rows].sort((a, b) => last(a) - last(b) || (last(a) ? 0 : compare(a, b))) };
  }
  return ordered.rows;
}

const SHOWN = { all: () => true, undefined: (row) => row.value === null, chosen: (row) => row.choice !== "" };

function chosen() {
  const text = state.text.toLowerCase();
  return inOrder().filter(
    (r) =>
      r.sought.includes(text) &&
      (SHOWN[state.show] ?? ((row) => listOf(row) === state.show))(r),
  );
}

function shortNumber(value) {
  if (value === null) return "undefined";
  const size = Math.abs(value);
  if (settings.unit) return value.toFixed(3);
  return size !== 0 && (size < 1e-3 || size >= 1e6) ? value.toExponential(2) : String(Number(value.toPrecision(4)));
}

function csvCell(value) {
  const text = value === null ? "" : String(value);
  return /[",;\t\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const byPath = (a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : (a.frame ?? 0) - (b.frame ?? 0));

// A table of images. Columns that no image has a value in are left out.
function csv(members, isChoice) {
  const columns = [
    ["path", (r) => r.path],
    ...(rows.some((r) => r.frame !== null) ? [["frame", (r) => r.frame]] : []),
    ...(rows.some((r) => r.moment !== null) ? [["moment", (r) => r.moment]] : []),
    ["width", (r) => r.width],
    ["height", (r) => r.height],
    ...settings.measures.map((name, n) => [name, (r) => r.values[n]]),
    ...(isChoice ? [["choice", (r) => r.choice]] : []),
    ["list", listOf],
  ];
  const lines = members.map((r) => columns.map(([, value]) => value(r)));
  return [columns.map(([name]) => name), ...lines].map((cells) => `${cells.map(csvCell).join(",")}\n`).join("");
}

// The content of a list: all its images, whatever the filter shows, by path. The choice holds the images of all lists.
function listText(name, form) {
  if (name === "choice") return csv([...rows].sort(byPath), true);
  const members = rows.filter((r) => listOf(r) === name).sort(byPath);
  if (form === "csv") return csv(members, false);
  // A line for each file: a line break within a name is written as in C.
  const paths = new Set(members.map((r) => r.path));
  return [...paths].map((path) => `${path.replaceAll("\n", "\\n").replaceAll("\r", "\\r")}\n`).join("");
}

// Bytes of names that are no text came as the code points U+DC80 to U+DCFF, and go as they were.
function bytesOf(text) {
  const encoder = new TextEncoder();
  return text
    .split(/(?<![\ud800-\udbff])([\udc80-\udcff])/)
    .map((part, n) => (n % 2 ? Uint8Array.of(part.charCodeAt(0) - 0xdc00) : encoder.encode(part)));
}

function saveList(name, form) {
  const type = form === "csv" ? "text/csv" : "text/plain";
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(bytesOf(listText(name, form)), { type }));
  link.download = `${name}.${form}`;
  link.click();
  // The browser has taken it by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
