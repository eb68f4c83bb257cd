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

const rows = JSON.parse(byId("rows").textContent).map(([path, link, stem, width, height, bytes, preview, values]) => ({
  path, link, stem, width, height, bytes, preview, values,
  // A missing value is undefined: no score is to be had of such an image.
  value: values[0],
  // To be shown only; Windows parts names by the other stroke.
  shown: printable(path),
  name: printable(path.split(/[/\\]/).at(-1) || path),
  sought: path.toLowerCase(),
}));
const scores = Float64Array.from(rows.map((r) => r.value).filter((v) => v !== null)).sort();

const state = {
  threshold: 0, undefinedAs: "neither", text: "", show: "all", order: "best",
  // Rows in the order of the grid, and which of them is chosen.
  list: [], active: 0,
};

// "sharp", "blurred", or "undefined": what the score says.
function verdict(row) {
  return row.value === null ? "undefined" : row.value < state.threshold ? "blurred" : "sharp";
}

// The list an image goes to, null where it goes to neither.
function listOf(row) {
  if (row.value !== null) return verdict(row);
  return state.undefinedAs === "neither" ? null : state.undefinedAs;
}

// How many scores lie below the threshold.
function below() {
  let low = 0;
  let high = scores.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (scores[middle] < state.threshold) low = middle + 1;
    else high = middle;
  }
  return low;
}

function counts() {
  const undefinedCount = rows.length - scores.length;
  const blurred = below();
  const more = (name) => (state.undefinedAs === name ? undefinedCount : 0);
  return {
    blurred: blurred + more("blurred"),
    sharp: scores.length - blurred + more("sharp"),
    undefined: undefinedCount,
  };
}

const collator = new Intl.Collator("en", { numeric: true });
const ORDERS = {
  best: (a, b) => b.value - a.value,
  worst: (a, b) => a.value - b.value,
  name: (a, b) => collator.compare(a.path, b.path),
};
let ordered = { by: null, rows: [] };

// Rows in the chosen order: one of ORDERS, or the number of a value, the largest first. Undefined values come last.
function inOrder() {
  if (ordered.by !== state.order) {
    const number = Number(state.order);
    const compare = ORDERS[state.order] ?? ((a, b) => b.values[number] - a.values[number]);
    const last = (r) => (state.order !== "name" && (r.values[number || 0] ?? null) === null ? 1 : 0);
    ordered = { by: state.order, rows: [...rows].sort((a, b) => last(a) - last(b) || (last(a) ? 0 : compare(a, b))) };
  }
  return ordered.rows;
}

function chosen() {
  const text = state.text.toLowerCase();
  return inOrder().filter(
    (r) =>
      r.sought.includes(text) &&
      (state.show === "all" || (state.show === "undefined" ? r.value === null : listOf(r) === state.show)),
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

// The content of a list: all its images, whatever the filter shows, by path.
function listText(name, form) {
  const members = rows.filter((r) => listOf(r) === name).sort((a, b) => (a.path < b.path ? -1 : 1));
  if (form === "txt") {
    // A line for each: a line break within a name is written as in C.
    return members.map((r) => `${r.path.replaceAll("\n", "\\n").replaceAll("\r", "\\r")}\n`).join("");
  }
  const lines = members.map((r) => [r.path, r.width, r.height, ...r.values, name]);
  return [["path", "width", "height", ...settings.measures, "list"], ...lines]
    .map((cells) => `${cells.map(csvCell).join(",")}\n`)
    .join("");
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
