// One image at full size, with where it is sharp.

const MODES = ["image", "overlay", "map"];
const thumbnailOf = (row) => `pictures/${row.stem}.jpg`;
const viewOf = (row) => (row.preview ? `pictures/${row.stem}.view.jpg` : row.link);

class Viewer {
  constructor(place, onMove, onClose) {
    this.place = place;
    this.onMove = onMove;
    this.row = null;
    this.picture = byId("picture");
    this.frame = byId("frame");
    this.stage = byId("stage");
    this.setMode("image");
    this.zoomed = false;
    place.addEventListener("close", onClose);
    place.addEventListener("keydown", (event) => this.key(event));
    for (const button of place.querySelectorAll("[data-mode]")) {
      button.addEventListener("click", () => this.setMode(button.dataset.mode));
    }
    byId("zoom").addEventListener("click", () => this.zoom());
    byId("previous").addEventListener("click", () => this.onMove(-1));
    byId("next").addEventListener("click", () => this.onMove(1));
    byId("close").addEventListener("click", () => place.close());
    this.picture.addEventListener("error", () => this.fallBack());
    this.picture.addEventListener("dblclick", () => this.zoom());
    new ResizeObserver(() => this.fit()).observe(this.stage);
  }

  get open() {
    return this.place.open;
  }

  show(row) {
    if (!this.open) {
      this.place.showModal();
      this.stage.focus({ focusVisible: false });
    }
    if (this.row !== row) {
      this.row = row;
      this.failed = false;
      byId("viewer-note").hidden = !row.preview;
      byId("viewer-note").textContent = row.frame === null
        ? "Browsers cannot show this file: a preview stands for it."
        : "A frame of a video: a preview stands for it.";
      byId("viewer-name").textContent = row.shown;
      this.picture.src = viewOf(row);
      this.picture.alt = row.name;
      byId("map").src = `pictures/${row.stem}.map.png`;
      byId("original").href = row.link;
      this.stage.scrollTo(0, 0);
    }
    this.say();
    this.fit();
  }

  // Say what may have changed: the place in the list, and the side of the threshold.
  say() {
    if (!this.row) return;
    const { row } = this;
    const said = row.choice || verdict(row);
    const values = settings.measures.map((name, n) => `${name} ${shortNumber(row.values[n])}`);
    const size = row.width ? `${row.width} × ${row.height}` : "";
    const place = state.list[state.active] === row ? `${state.active + 1} of ${state.list.length}` : "no longer in the list";
    byId("viewer-facts").textContent = [place, said, ...values, size].filter(Boolean).join(" · ");
    byId("viewer-facts").className = listOf(row) ?? "undefined";
    byId("keep").setAttribute("aria-pressed", row.choice === "keep");
    byId("reject").setAttribute("aria-pressed", row.choice === "reject");
  }

  // The original is gone, or the browser cannot show it after all.
  fallBack() {
    if (this.failed || !this.row) return;
    this.failed = true;
    byId("viewer-note").hidden = false;
    byId("viewer-note").textContent = "The original is not where it was, or cannot be shown: this is its thumbnail.";
    this.picture.src = thumbnailOf(this.row);
  }

  fit() {
    const { row } = this;
    if (!row || !this.open) return;
    const { clientWidth, clientHeight } = this.stage;
    const own = 1 / devicePixelRatio;
    const scale = this.zoomed ? own : Math.min(1, clientWidth / row.width, clientHeight / row.height);
    this.frame.style.width = `${row.width * scale}px`;
    this.frame.style.height = `${row.height * scale}px`;
  }

  // Between the whole image and its actual size, a pixel of the screen for each of its own; the middle is in view.
  zoom() {
    this.zoomed = !this.zoomed;
    byId("zoom").setAttribute("aria-pressed", this.zoomed);
    this.fit();
    this.stage.scrollTo(
      (this.stage.scrollWidth - this.stage.clientWidth) / 2,
      (this.stage.scrollHeight - this.stage.clientHeight) / 2,
    );
  }

  setMode(mode) {
    this.frame.dataset.mode = mode;
    byId("legend").hidden = mode === "image";
    for (const button of this.place.querySelectorAll("[data-mode]")) {
      if (button.tagName === "BUTTON") button.setAttribute("aria-pressed", button.dataset.mode === mode);
    }
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const moves = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };
    // In its actual size an image is scrolled by the arrows; the buttons still move on.
    if (event.key in moves && !(this.zoomed && event.target === this.stage)) this.onMove(moves[event.key]);
    else if (event.key === "m" || event.key === "M") {
      this.setMode(MODES[(MODES.indexOf(this.frame.dataset.mode) + 1) % MODES.length]);
    } else if (event.key === "z" || event.key === "Z") this.zoom();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
