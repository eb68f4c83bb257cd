// The histogram of scores, and the threshold that is dragged over it.

const BINS = 60;
const HEIGHT = 130;
// Of the axis: what a key moves the threshold by.
const STEP = 0.01;

// The axis is linear or logarithmic; `place` leads from a score to it and `score` back.
function axisOf(logarithmic) {
  const least = scores.length ? scores[0] : 0;
  const most = scores.length ? scores[scores.length - 1] : 1;
  const given = Number.isFinite(Number(settings.threshold ?? NaN)) ? [Number(settings.threshold)] : [];
  if (logarithmic) {
    const floor = scores.find((v) => v > 0);
    const positive = given.filter((v) => v > 0);
    const place = (v) => Math.log10(Math.max(v, floor / 2));
    const [low, high] = [Math.min(floor, ...positive), Math.max(most, ...positive)];
    return { low: place(low) - 0.05, high: place(high) + 0.05, place, score: (t) => 10 ** t };
  }
  const same = (v) => v;
  if (settings.unit) return { low: Math.min(0, ...given), high: Math.max(1, ...given), place: same, score: same };
  const low = Math.min(least >= 0 ? 0 : least, ...given);
  const high = Math.max(most, ...given);
  // Room beyond the largest, so that a threshold fits above all.
  return { low, high: high + (high - low || 1) * 0.02, place: same, score: same };
}

const canBeLogarithmic = () => !settings.unit && scores.length > 0 && scores[0] >= 0 && scores[scores.length - 1] > 0;
// Where the largest towers over the middle, a linear axis shows one bar.
const isTall = () => canBeLogarithmic() && scores[scores.length - 1] > 10 * scores[scores.length >> 1];

class Histogram {
  constructor(place, onMove) {
    this.place = place;
    this.onMove = onMove;
    this.logarithmic = isTall();
    this.handle = this.makeHandle();
    this.draw();
    new ResizeObserver(() => this.fit()).observe(place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  // Draw everything anew.
  draw() {
    this.axis = axisOf(this.logarithmic);
    this.plot?.destroy();
    const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    this.colours = { sharp: colour("--sharp"), blurred: colour("--blurred") };
    const lines = { stroke: colour("--faint"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    this.plot = new uPlot(
      {
        width: this.width(),
        height: HEIGHT,
        legend: { show: false },
        cursor: { show: false },
        padding: [8, 16, 0, 0],
        scales: {
          x: { time: false, range: () => [this.axis.low, this.axis.high] },
          y: { range: (_, low, high) => [0, Math.max(1, high) * 1.05] },
        },
        axes: [
          { ...lines, size: 26, gap: 2, grid: { show: false }, splits: this.logarithmic ? () => this.decades() : null,
            values: (_, places) => places.map((t) => this.tick(t)) },
          { ...lines, size: 52, gap: 4, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 1e5, 1e6] },
        ],
        series: [
          {},
          { paths: uPlot.paths.bars({ size: [1, 200], align: 1, gap: 1 }), points: { show: false }, width: 0,
            fill: (plot) => this.paint(plot) },
        ],
      },
      this.bars(),
      this.place,
    );
    this.plot.over.append(this.handle);
    this.plot.over.addEventListener("pointerdown", (event) => this.grasp(event));
    this.plot.over.setAttribute("aria-hidden", "false");
    this.follow();
  }

  bars() {
    const { low, high, place } = this.axis;
    const width = (high - low) / BINS;
    const tally = new Array(BINS).fill(0);
    for (const v of scores) tally[Math.max(0, Math.min(BINS - 1, Math.floor((place(v) - low) / width)))] += 1;
    return [tally.map((_, n) => low + n * width), tally];
  }

  // 1, 2 and 5 of each decade, or the decades alone where there is no room for more.
  decades() {
    const { low, high } = this.axis;
    const steps = this.width() / (high - low) < 180 ? [1] : [1, 2, 5];
    const found = [];
    for (let k = Math.floor(low); k <= high; k += 1) found.push(...steps.map((s) => k + Math.log10(s)));
    return found.filter((t) => t >= low && t <= high);
  }

  tick(t) {
    const value = this.axis.score(t);
    return Math.abs(value) >= 1e5 || (value !== 0 && Math.abs(value) < 1e-3)
      ? value.toExponential(0)
      : String(Number(value.toPrecision(3)));
  }

  // Colours that change at the threshold, within a bar too.
  paint(plot) {
    const { left, width } = plot.bbox;
    const gradient = plot.ctx.createLinearGradient(left, 0, left + width, 0);
    const at = Math.max(0, Math.min(1, this.share()));
    gradient.addColorStop(0, this.colours.blurred);
    gradient.addColorStop(at, this.colours.blurred);
    gradient.addColorStop(at, this.colours.sharp);
    gradient.addColorStop(1, this.colours.sharp);
    return gradient;
  }

  // How far along the axis the threshold lies.
  share() {
    const { low, high, place } = this.axis;
    return (place(state.threshold) - low) / (high - low);
  }

  makeHandle() {
    const handle = document.createElement("div");
    handle.id = "handle";
    handle.tabIndex = 0;
    handle.setAttribute("role", "slider");
    handle.setAttribute("aria-label", "Threshold");
    handle.setAttribute("aria-orientation", "horizontal");
    const far = { PageUp: 10, PageDown: -10, ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 };
    handle.addEventListener("keydown", (event) => {
      const { low, high } = this.axis;
      if (event.key in far) this.step(far[event.key]);
      else if (event.key === "Home") this.moveTo(low);
      else if (event.key === "End") this.moveTo(high);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    return handle;
  }

  grasp(event) {
    if (event.button !== 0) return;
    const over = this.plot.over;
    const follow = (e) => {
      const box = over.getBoundingClientRect();
      this.moveTo(this.axis.low + ((e.clientX - box.left) / box.width) * (this.axis.high - this.axis.low));
    };
    const release = () => over.removeEventListener("pointermove", follow);
    over.setPointerCapture(event.pointerId);
    over.addEventListener("pointermove", follow);
    over.addEventListener("pointerup", release, { once: true });
    over.addEventListener("pointercancel", release, { once: true });
    follow(event);
    this.handle.focus({ preventScroll: true, focusVisible: false });
    event.preventDefault();
  }

  // Move by so many steps of a key.
  step(count) {
    const { low, high } = this.axis;
    this.moveTo(low + (this.share() + count * STEP) * (high - low));
  }

  // Move to a place on the axis, at a number that can be typed.
  moveTo(place) {
    const { low, high, score } = this.axis;
    const within = Math.max(low, Math.min(high, place));
    const fine = this.logarithmic ? 4 : Math.max(1, 4 + Math.floor(Math.log10(Math.abs(within) || 1) - Math.log10(high - low)));
    const value = score(within);
    this.onMove(within === low && !this.logarithmic ? low : Number(value.toPrecision(Math.min(15, fine))));
  }

  // Show where the threshold is now.
  follow() {
    const share = Math.max(0, Math.min(1, this.share()));
    const { low, high, score } = this.axis;
    this.handle.style.left = `${share * 100}%`;
    this.handle.setAttribute("aria-valuemin", score(low));
    this.handle.setAttribute("aria-valuemax", score(high));
    this.handle.setAttribute("aria-valuenow", state.threshold);
    // With its bars: they keep the colours that they were made with.
    this.plot.redraw();
  }

  width() {
    return Math.max(200, this.place.clientWidth);
  }

  fit() {
    if (this.plot.width !== this.width()) this.plot.setSize({ width: this.width(), height: HEIGHT });
  }
}
