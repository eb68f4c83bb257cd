// The images of one moment side by side, to keep one and reject the others.

class Moment {
  constructor(place, onChoose) {
    this.place = place;
    this.onChoose = onChoose;
    this.members = [];
    this.active = 0;
    place.addEventListener("keydown", (event) => this.key(event));
    byId("moment-close").addEventListener("click", () => place.close());
    byId("moment-rest").addEventListener("click", () => this.keepOnly());
  }

  get open() {
    return this.place.open;
  }

  get row() {
    return this.members[this.active];
  }

  // Show the images that were taken at the same moment as one.
  show(row) {
    if (row.moment === null) return;
    this.members = rows.filter((r) => r.moment === row.moment).sort((a, b) => b.value - a.value);
    this.active = this.members.indexOf(row);
    byId("moment-name").textContent = `Moment ${row.moment}: ${this.members.length} images, the sharpest first`;
    this.figures = this.members.map((member, n) => this.figure(member, n));
    byId("moment-row").replaceChildren(...this.figures);
    if (!this.open) this.place.showModal();
    this.figures[this.active].focus();
    this.say();
  }

  figure(row, n) {
    const figure = document.createElement("figure");
    figure.tabIndex = 0;
    const picture = document.createElement("img");
    picture.src = viewOf(row);
    picture.alt = row.name;
    picture.addEventListener("error", () => (picture.src = thumbnailOf(row)), { once: true });
    const caption = document.createElement("figcaption");
    figure.append(picture, caption);
    figure.addEventListener("focus", () => {
      this.active = n;
      this.say();
    });
    return figure;
  }

  // Say what may have changed: the decisions, and which image the keys are about.
  say() {
    this.members.forEach((row, n) => {
      const said = row.choice || verdict(row);
      const figure = this.figures[n];
      figure.className = `${listOf(row) ?? "undefined"} ${n === this.active ? "active" : ""}`;
      figure.querySelector("figcaption").textContent = [row.name, shortNumber(row.value), said].join(" · ");
    });
  }

  // Keep the chosen image and reject the other ones.
  keepOnly() {
    for (const row of this.members) this.onChoose(row, row === this.row ? "keep" : "reject");
    this.say();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const moves = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };
    if (event.key in moves) {
      this.active = Math.max(0, Math.min(this.members.length - 1, this.active + moves[event.key]));
      this.figures[this.active].focus();
      this.say();
    } else if (event.key === "o" || event.key === "O") this.keepOnly();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
