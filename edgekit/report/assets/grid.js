// The grid of thumbnails. Only those in view are in the document: ten thousand cost no more than fifty.

const GAP = 6;
const CAPTION = 46;
// Rows of tiles kept ready above and below the view.
const AHEAD = 2;

class Grid {
  constructor(place, onOpen) {
    this.place = place;
    this.onOpen = onOpen;
    this.tiles = new Map();
    this.drawn = false;
    const later = () => this.later();
    addEventListener("scroll", later, { passive: true });
    addEventListener("resize", later);
    new ResizeObserver(() => this.measure()).observe(place);
    place.addEventListener("keydown", (event) => this.key(event));
    place.addEventListener("click", (event) => {
      const tile = event.target.closest(".tile");
      if (!tile) return;
      this.choose(Number(tile.dataset.place));
      this.onOpen();
    });
  }

  later() {
    if (this.drawn) return;
    this.drawn = true;
    requestAnimationFrame(() => {
      this.drawn = false;
      this.draw();
    });
  }

  // Fit the tiles to the width: as many of about 200 pixels as there is room for, two on a phone.
  measure() {
    const width = this.place.clientWidth;
    this.columns = Math.max(2, Math.floor(width / 200));
    this.tile = { width: (width - (this.columns - 1) * GAP) / this.columns };
    this.tile.height = Math.round(this.tile.width * 0.7) + CAPTION;
    this.renew();
  }

  // The list has changed.
  renew() {
    const lines = Math.ceil(state.list.length / this.columns);
    this.place.style.height = `${Math.max(0, lines * (this.tile.height + GAP) - GAP)}px`;
    this.draw();
  }

  draw() {
    const pitch = this.tile.height + GAP;
    const top = this.place.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor(-top / pitch) - AHEAD) * this.columns;
    const end = Math.min(state.list.length, (Math.ceil((innerHeight - top) / pitch) + AHEAD) * this.columns);
    const wanted = new Set(state.list.slice(first, Math.max(first, end)));
    for (const [row, tile] of this.tiles) {
      if (wanted.has(row)) continue;
      tile.remove();
      this.tiles.delete(row);
    }
    let n = first;
    for (const row of wanted) {
      if (!this.tiles.has(row)) this.tiles.set(row, this.make(row));
      this.set(this.tiles.get(row), row, n);
      n += 1;
    }
    const active = this.tiles.get(state.list[state.active]);
    if (active) this.place.setAttribute("aria-activedescendant", active.id);
    else this.place.removeAttribute("aria-activedescendant");
  }

  make(row) {
    const tile = document.createElement("div");
    tile.id = `tile-${row.stem.replace("/", "")}`;
    tile.setAttribute("role", "option");
    tile.title = row.shown;
    const picture = document.createElement("img");
    picture.alt = "";
    picture.decoding = "async";
    picture.draggable = false;
    picture.src = thumbnailOf(row);
    const name = document.createElement("span");
    name.textContent = row.name;
    const value = document.createElement("span");
    value.className = "value";
    const said = document.createElement("span");
    said.className = "verdict";
    const blur = row.values[settings.measures.indexOf("blur_px")] ?? null;
    const width = blur === null ? "" : ` · ${blur.toPrecision(2)} px`;
    // The place is short: a moment that several images share says more than the width of the blur.
    const note = sharesMoment(row) ? ` · moment ${row.moment}` : width;
    value.append(row.value === null ? "" : shortNumber(row.value), note, said);
    tile.append(picture, name, value);
    this.place.append(tile);
    return tile;
  }

  // Say what may have changed: where the tile is, and on which side of the threshold.
  set(tile, row, n) {
    const said = row.choice || verdict(row);
    const column = n % this.columns;
    const line = Math.floor(n / this.columns);
    tile.dataset.place = n;
    tile.className = `tile ${listOf(row) ?? "undefined"} ${row.choice && "chosen"}`;
    tile.style.width = `${this.tile.width}px`;
    tile.style.height = `${this.tile.height}px`;
    tile.style.transform = `translate(${column * (this.tile.width + GAP)}px, ${line * (this.tile.height + GAP)}px)`;
    tile.querySelector(".verdict").textContent = said;
    tile.setAttribute("aria-selected", n === state.active);
    tile.setAttribute("aria-posinset", n + 1);
    tile.setAttribute("aria-setsize", state.list.length);
    const number = row.value === null ? "" : ` ${shortNumber(row.value)},`;
    tile.setAttribute("aria-label", `${row.name},${number} ${said}`);
  }

  // Choose an image by its place, and bring it into view.
  choose(n) {
    if (!state.list.length) return;
    state.active = Math.max(0, Math.min(state.list.length - 1, n));
    this.reveal();
    this.draw();
  }

  reveal() {
    const pitch = this.tile.height + GAP;
    const panel = byId("panel");
    const covered = getComputedStyle(panel).position === "sticky" ? panel.offsetHeight : 0;
    const top = this.place.getBoundingClientRect().top + Math.floor(state.active / this.columns) * pitch;
    if (top < covered + GAP) scrollBy(0, top - covered - GAP);
    else if (top + pitch > innerHeight) scrollBy(0, top + pitch - innerHeight);
  }

  // Move by a key; tell whether it was one of ours.
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const page = this.columns * Math.max(1, Math.floor(innerHeight / (this.tile.height + GAP)) - 1);
    const far = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.columns, ArrowDown: this.columns, PageUp: -page, PageDown: page };
    if (event.key in far) {
      const target = state.active + far[event.key];
      // Up and down stay in their column.
      if (Math.abs(far[event.key]) === 1 || (target >= 0 && target < state.list.length)) this.choose(target);
    } else if (event.key === "Home") this.choose(0);
    else if (event.key === "End") this.choose(state.list.length - 1);
    else if (event.key === "Enter" && state.list.length) this.onOpen();
    else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  }
}
