"use strict";
// Tabs, the choice of a dataset and model, and single samples. Without this script the page shows everything but these.
(() => {
  const all = (query, from = document) => [...from.querySelectorAll(query)];
  const one = (query, from = document) => from.querySelector(query);
  const SVG = "http://www.w3.org/2000/svg";

  function put(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  }
  const make = (tag, attributes = {}, ...children) => put(document.createElement(tag), attributes, children);
  const draw = (tag, attributes = {}, ...children) => put(document.createElementNS(SVG, tag), attributes, children);
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const order = (values) => values.map((_, index) => index).sort((a, b) => values[b] - values[a]);

  // ---- datasets, tabs, models

  const datasets = all(".dataset");

  function route() {
    const [name, tab] = decodeURIComponent(location.hash.slice(1)).split("/");
    for (const section of datasets) section.classList.toggle("on", section.id === name);
    const chosen = datasets.find((section) => section.id === name);
    if (!chosen) return;
    if (tab) showTab(chosen, tab);
    one("h2", chosen).focus({ preventScroll: true });
    chosen.scrollIntoView();
  }

  function showTab(section, name) {
    for (const panel of all(".panel", section)) panel.classList.toggle("on", panel.dataset.tab === name);
    for (const tab of all("[role=tab]", section)) {
      const isOn = tab.dataset.tab === name;
      tab.setAttribute("aria-selected", isOn);
      tab.tabIndex = isOn ? 0 : -1;
    }
    if (name === "samples") openSamples(section);
  }

  function addTabs(section) {
    const panels = all(".panel", section);
    const list = make("div", { role: "tablist", "aria-label": `Parts of ${one("h2", section).textContent}` });
    for (const panel of panels) {
      const name = panel.dataset.tab;
      const tab = make("button", { role: "tab", id: `${panel.id}-tab`, "aria-controls": panel.id, "data-tab": name, type: "button" });
      tab.textContent = name;
      tab.addEventListener("click", () => showTab(section, name));
      put(panel, { role: "tabpanel", tabindex: "0", "aria-labelledby": tab.id }, []);
      panel.removeAttribute("aria-label");
      list.append(tab);
    }
    list.addEventListener("keydown", (event) => {
      const tabs = all("[role=tab]", list);
      const at = tabs.indexOf(document.activeElement);
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      const tab = tabs[(to + tabs.length) % tabs.length];
      showTab(section, tab.dataset.tab);
      tab.focus();
    });
    one(".panels", section).before(list);
    showTab(section, panels[0].dataset.tab);
  }

  function showModel(section, name) {
    section.dataset.model = name;
    for (const part of all(".model", section)) part.classList.toggle("on", part.dataset.model === name);
    for (const button of all(".models button", section)) button.setAttribute("aria-pressed", button.textContent === name);
    if (section.explorer) section.explorer.refresh();
  }

  function addModels(section) {
    const names = [...new Set(all(".model", section).map((part) => part.dataset.model))];
    const set = make("fieldset", { class: "models" }, make("legend", {}, "model"));
    for (const name of names) {
      const button = make("button", { type: "button" }, name);
      button.addEventListener("click", () => showModel(section, name));
      set.append(button);
    }
    one(".panels", section).before(set);
    showModel(section, section.dataset.first);
  }

  // ---- the numbers of single samples

  async function unpack(node) {
    const bytes = Uint8Array.from(atob(node.textContent.trim()), (character) => character.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
  }

  class Numbers {
    constructor(buffer) {
      this.whole = new Int16Array(buffer);
    }
    // The last axis of an array at the places of the axes before it.
    row(entry, ...places) {
      const length = entry.shape[entry.shape.length - 1];
      const at = places.reduce((index, place, axis) => index * entry.shape[axis] + place, 0) * length;
      const own = this.whole.subarray(entry.start + at, entry.start + at + length);
      return Array.from(own, (value) => (value === -32768 ? NaN : value * entry.step));
    }
  }

  const softmax = (logits) => {
    const most = Math.max(...logits);
    const parts = logits.map((value) => Math.exp(value - most));
    return parts.map((part) => part / sum(parts));
  };
  const sigmoid = (logits) => logits.map((value) => 1 / (1 + Math.exp(-value)));

  class Samples {
    constructor(about, numbers) {
      Object.assign(this, about);
      this.numbers = numbers;
    }
    names(choices) {
      return choices.map((index) => this.classes[index]).join(", ") || "none";
    }
    choices(logits) {
      if (this.task === "multilabel") return logits.flatMap((value, index) => (value > 0 ? [index] : []));
      return this.task === "regression" ? [0] : [order(logits)[0]];
    }
    truth(sample) {
      const label = this.labels[sample];
      if (this.task === "multilabel") return label.flatMap((value, index) => (value ? [index] : []));
      return [label];
    }
    // All that is said of a sample by one model and seed.
    say(model, seed, sample) {
      const own = this.models[model];
      const logits = this.numbers.row(own.logits, seed, sample);
      const said = { logits, chosen: this.choices(logits), truth: this.truth(sample), label: this.labels[sample] };
      if (this.task === "regression") {
        said.error = Math.abs(logits[0] - said.label);
      } else {
        said.shares = this.task === "multilabel" ? sigmoid(logits) : softmax(logits);
        said.wrong = said.chosen.join() !== said.truth.join();
        said.error = this.task === "multilabel" ? sum(said.shares.map((p, c) => Math.abs(p - (said.truth.includes(c) ? 1 : 0)))) : 1 - said.shares[said.truth[0]];
      }
      said.ranked = order(logits);
      if (own.weights) {
        said.weights = this.numbers.row(own.weights, seed, sample);
        said.experts = own.experts.map((_, expert) => this.numbers.row(own.expert_logits, seed, sample, expert));
        said.heaviest = order(said.weights)[0];
        said.disagreement = this.task === "regression"
          ? Math.max(...said.experts.map((row) => row[0])) - Math.min(...said.experts.map((row) => row[0]))
          : said.experts.filter((row) => this.choices(row).join() !== said.chosen.join()).length;
      }
      if (own.without) said.without = this.numbers.row(own.without, seed, sample);
      return said;
    }
  }

  // ---- drawings of one sample

  const ROW = 20;
  const short = (value, digits = 3) => (Number.isFinite(value) ? value.toFixed(digits).replace(/^-(?=[0.]+$)/, "") : "–");

  function frame(width, height, label, ...marks) {
    return draw("svg", { role: "img", viewBox: `0 0 ${width} ${height}`, width, "font-size": 11, fill: "currentColor", "aria-label": label }, ...marks);
  }
  const words = (x, y, content, anchor = "start") => draw("text", { x, y: y + 4, "text-anchor": anchor }, content);

  function bars(rows, label, from = 0) {
    const left = 12 + 7 * Math.max(...rows.map((row) => row.name.length));
    const low = Math.min(from, ...rows.flatMap((row) => [row.start, row.end]));
    const high = Math.max(from, ...rows.flatMap((row) => [row.start, row.end]));
    const right = left + 220;
    const place = (value) => left + ((value - low) / (high - low || 1)) * (right - left);
    const marks = rows.flatMap((row, index) => [
      words(left - 8, ROW * (index + 0.5), row.name, "end"),
      draw("rect", { x: Math.min(place(row.start), place(row.end)), y: ROW * index + 3, width: Math.abs(place(row.end) - place(row.start)), height: ROW - 6, fill: row.colour }),
      words(right + 10, ROW * (index + 0.5), row.words),
    ]);
    marks.push(draw("path", { d: `M${place(from)} 0V${ROW * rows.length}`, stroke: "currentColor", "stroke-opacity": 0.5 }));
    return frame(right + 150, ROW * rows.length + 2, label, ...marks);
  }

  function waterfall(names, colours, said, output, title) {
    let end = 0;
    const rows = names.map((name, expert) => {
      const [weight, logit] = [said.weights[expert], said.experts[expert][output]];
      const start = end;
      end += weight * logit;
      return { name, colour: colours[expert], start, end, words: `${short(weight, 2)} × ${short(logit, 2)} = ${short(weight * logit, 2)}` };
    });
    rows.push({ name: "sum", colour: "#8A93A0", start: 0, end, words: short(end, 2) });
    return captioned(bars(rows, `${title}: weight × logit by expert, adding up to ${short(end, 2)}`), `${title}: weight × logit of each expert, and their sum.`);
  }

  // A row of tokens, or a grid of an image's positions, each the darker the more it matters.
  function tokenMap(modality, tokens) {
    const most = Math.max(...tokens.map(([, size]) => size)) || 1;
    const shade = (size) => `background: rgb(0 114 178 / ${((0.75 * size) / most).toFixed(2)})`;
    const places = tokens.map(([token]) => /^(\d+), (\d+)$/.exec(token));
    const box = make("div", { class: "tokens" });
    if (places.every(Boolean)) {
      box.style.gridTemplateColumns = `repeat(${1 + Math.max(...places.map((place) => Number(place[2])))}, 1.2rem)`;
      box.classList.add("grid");
      tokens.forEach(([token, size], index) => {
        const cell = make("span", { style: shade(size), title: `${token}: ${size}` });
        cell.style.gridRow = Number(places[index][1]) + 1;
        cell.style.gridColumn = Number(places[index][2]) + 1;
        box.append(cell);
      });
    } else {
      box.append(...tokens.map(([token, size]) => make("span", { style: shade(size), title: String(size) }, token)));
    }
    return make("figure", {}, box, make("figcaption", {}, `${modality}: how much each token matters to the whole model (integrated gradients).`));
  }

  const captioned = (drawing, caption) => make("figure", {}, drawing, make("figcaption", {}, caption));

  function sparkline(steps, label) {
    const [width, height] = [180, 34];
    const known = steps.filter(Number.isFinite);
    const [low, high] = [Math.min(...known), Math.max(...known)];
    const points = steps.map((value, index) => [steps.length > 1 ? (index / (steps.length - 1)) * width : width / 2, height - 3 - ((value - low) / (high - low || 1)) * (height - 6)]);
    const drawn = points.filter((point) => Number.isFinite(point[1])).map((point) => point.map((x) => x.toFixed(1)));
    const line = drawn.map((point) => point.join(" ")).join("L");
    const mark = drawn.length === 1 ? draw("circle", { cx: drawn[0][0], cy: drawn[0][1], r: 2, fill: "#0072B2" }) : draw("path", { d: `M${line || "0 0"}`, fill: "none", stroke: "#0072B2", "stroke-width": 1.5 }); // a line of one point is not seen
    const last = known.length ? (known.length === 1 ? short(low) : `${short(low)} to ${short(high)}`) : "no value";
    return make("div", {}, make("span", { class: "soft" }, `${label}, ${last}`), frame(width, height, `${label} over ${steps.length} step${steps.length === 1 ? "" : "s"}, ${last}`, mark));
  }

  function columnsTable(input, sample) {
    if (!input.values[sample]) return ["absent"];
    if (!input.names.length) return [make("p", { class: "soft" }, `${input.left_out} numbers without names, which are not shown`)];
    const rows = input.names.map((name, column) => ({ name, value: input.values[sample]?.[column], place: input.percentiles[sample]?.[column], mean: input.means[column] }));
    rows.sort((a, b) => Math.abs((b.place ?? 50) - 50) - Math.abs((a.place ?? 50) - 50));
    const cell = (value) => (typeof value === "number" ? String(value) : value ?? "–");
    const body = rows.map((row) => make("tr", {}, make("th", { scope: "row" }, row.name), make("td", { "data-label": "value" }, cell(row.value)), make("td", { "data-label": "percentile of train" }, cell(row.place)), make("td", { "data-label": "train mean" }, cell(row.mean))));
    const table = (part) => make("table", { class: "stack" }, make("thead", {}, make("tr", {}, ...["feature", "value", "percentile of train", "train mean"].map((name) => make("th", { scope: "col" }, name)))), make("tbody", {}, ...part));
    const rest = body.splice(8);
    const more = rest.length ? [make("details", {}, make("summary", {}, `${rest.length} more feature${rest.length === 1 ? "" : "s"}`), table(rest))] : [];
    return [table(body), ...more];
  }

  function inputOf(name, input, sample, id) {
    const content = [];
    if (input.kind === "image") content.push(input.images[sample] ? make("img", { src: input.images[sample], alt: `${name} of ${id}` }) : "absent");
    if (input.kind === "text") content.push(make("p", {}, input.texts[sample] ?? "absent"));
    if (input.kind === "vector") content.push(...columnsTable(input, sample));
    if (input.kind === "sequence") {
      const steps = input.steps[sample] ?? [];
      if (!steps.length || !steps[0].length) content.push("absent");
      else content.push(...input.names.map((label, index) => sparkline(steps[index].map((value) => value ?? NaN), String(label))));
      if (input.words) content.push(make("p", {}, (input.words[sample] ?? []).join(" ")));
    }
    return make("div", {}, make("h5", {}, name), ...content);
  }

  // ---- the explorer

  class Explorer {
    constructor(section, data) {
      Object.assign(this, { section, data, seed: 0, filter: "all", sort: "order", at: 0 });
      const host = one(".samples", section);
      this.controls = make("div", { class: "controls" });
      this.list = make("ul", { class: "list", role: "listbox", tabindex: "0", "aria-label": `Test samples of ${host.dataset.label}` });
      this.detail = make("div", { class: "detail", "aria-live": "polite" });
      this.count = make("p", { class: "soft", role: "status" });
      host.append(this.controls, make("div", { class: "explorer" }, make("div", {}, this.count, this.list), this.detail));
      this.list.addEventListener("keydown", (event) => this.key(event));
      this.list.addEventListener("click", (event) => this.choose(all("li", this.list).indexOf(event.target.closest("li"))));
      this.refresh();
    }
    get model() {
      return this.section.dataset.model;
    }
    select(label, options, name) {
      const box = make("select", {}, ...options.map(([value, content]) => make("option", { value }, content)));
      if (!options.some(([value]) => value === String(this[name]))) this[name] = options[0][0];
      box.value = this[name];
      box.addEventListener("change", () => {
        this[name] = box.value;
        this.fill();
      });
      return make("label", {}, label, box);
    }
    refresh() {
      const own = this.data.models[this.model];
      const filters = [["all", "all"]];
      const sorts = [["order", "order of the file"], ["error", this.data.task === "regression" ? "largest error" : "least sure of the truth"]];
      if (this.data.task !== "regression") filters.push(["wrong", "predicted wrong"]);
      if (own.weights) {
        if (this.data.task !== "regression") filters.push(["disagree", "experts disagree"]);
        sorts.push(["disagreement", "experts disagree most"]);
        filters.push(...own.experts.map((name, index) => [`expert ${index}`, `largest weight: ${name}`]));
        sorts.push(...own.experts.map((name, index) => [`weight ${index}`, `weight of ${name}`]));
      }
      filters.push(...this.data.classes.map((name, index) => [`class ${index}`, `true class: ${name}`]));
      this.controls.replaceChildren(
        this.select("show", filters, "filter"),
        this.select("sort by", sorts, "sort"),
        this.select("seed", own.seeds.map((seed, index) => [String(index), String(seed)]), "seed"),
      );
      this.fill();
    }
    keeps(said) {
      const [kind, index] = this.filter.split(" ");
      if (kind === "wrong") return said.wrong;
      if (kind === "disagree") return said.disagreement > 0;
      if (kind === "expert") return said.heaviest === Number(index);
      return kind === "class" ? said.truth.includes(Number(index)) : true;
    }
    rank(said) {
      const [kind, index] = this.sort.split(" ");
      return kind === "weight" ? said.weights[Number(index)] : said[kind];
    }
    fill() {
      const { data } = this;
      const said = data.samples.map((_, sample) => data.say(this.model, Number(this.seed), sample));
      this.shown = said.map((own, sample) => ({ ...own, sample })).filter((own) => this.keeps(own));
      if (this.sort !== "order") this.shown.sort((a, b) => this.rank(b) - this.rank(a));
      this.count.textContent = `${this.shown.length} of ${said.length} samples; arrow keys go through them`;
      this.list.replaceChildren(
        ...this.shown.map((own, index) => {
          const what = data.task === "regression" ? short(own.logits[0], 2) : data.names(own.chosen);
          return make("li", { role: "option", id: `${this.section.id}-option-${index}`, ...(own.wrong ? { class: "wrong" } : {}) }, make("span", {}, data.samples[own.sample]), make("span", {}, what));
        }),
      );
      this.choose(0);
    }
    key(event) {
      const to = { ArrowDown: this.at + 1, ArrowUp: this.at - 1, PageDown: this.at + 10, PageUp: this.at - 10, Home: 0, End: this.shown.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      this.choose(Math.min(Math.max(to, 0), this.shown.length - 1));
    }
    choose(index) {
      const options = all("li", this.list);
      if (!options.length) this.detail.replaceChildren(make("p", {}, "No sample is like this."));
      if (!options[index]) return;
      this.at = index;
      options.forEach((option, place) => option.setAttribute("aria-selected", place === index));
      this.list.setAttribute("aria-activedescendant", options[index].id);
      options[index].scrollIntoView({ block: "nearest" });
      this.describe(this.shown[index]);
    }
    describe(said) {
      const { data } = this;
      const own = data.models[this.model];
      const id = data.samples[said.sample];
      const inputs = Object.entries(data.inputs).map(([name, input]) => inputOf(name, input, said.sample, id));
      const charts = make("div", { class: "charts" });
      const outputs = data.task === "regression" ? [0] : said.ranked.slice(0, 2);
      if (said.weights) {
        const title = (output, place) => (data.task === "regression" ? "value" : `${place ? "runner-up" : "likeliest"}, ${data.classes[output]}`);
        charts.append(...outputs.map((output, place) => waterfall(own.experts, own.colours, said, output, title(output, place))));
      }
      if (said.shares) {
        const rows = said.ranked.slice(0, 5).map((output) => ({ name: data.classes[output], colour: "#0072B2", start: 0, end: said.shares[output], words: short(said.shares[output]) }));
        charts.append(captioned(bars(rows, `probability: ${rows.map((row) => `${row.name} ${row.words}`).join(", ")}`), "Probability of the likeliest classes."));
      }
      if (said.without) {
        const rows = said.without.map((value, index) => ({ name: `without ${data.modalities[index]}`, colour: "#E69F00", start: 0, end: value, words: short(value) }));
        const what = data.task === "regression" ? "Minus the squared distance from the prediction" : "Probability of what is predicted,";
        charts.append(captioned(bars(rows, `${what} without each modality: ${rows.map((row) => `${row.name} ${row.words}`).join(", ")}`), `${what} without each modality (at its train mean).`));
      }
      const seed = String(own.seeds[Number(this.seed)]);
      charts.append(...Object.entries(own.tokens?.[id]?.[seed] ?? {}).map(([modality, tokens]) => tokenMap(modality, tokens)));
      const pairs = own.pairs?.[id]?.[seed];
      if (pairs) charts.append(make("div", {}, make("h5", {}, "pairs of tokens that interact most"), make("ul", {}, ...pairs.map((words) => make("li", {}, words)))));
      this.detail.replaceChildren(make("h4", {}, id), make("p", {}, this.sentence(said)), make("div", { class: "inputs" }, ...inputs), charts);
    }
    sentence(said) {
      const { data } = this;
      if (data.task === "regression") return `True value ${short(said.label, 2)}, predicted ${short(said.logits[0], 2)}.`;
      if (data.task === "multilabel") return `True labels: ${data.names(said.truth)}. Predicted: ${data.names(said.chosen)}.`;
      const [first, second] = said.ranked;
      const verdict = said.wrong ? "wrong" : "right";
      return `True class ${data.names(said.truth)}, predicted ${data.classes[first]} (${verdict}) with probability ${short(said.shares[first])}; next ${data.classes[second]}, ${short(said.shares[second])}.`;
    }
  }

  async function openSamples(section) {
    const host = one(".samples", section);
    if (!host || section.opening) return;
    section.opening = true;
    const [about, numbers] = await Promise.all([unpack(one(".about", section)), unpack(one(".numbers", section))]);
    section.explorer = new Explorer(section, new Samples(JSON.parse(new TextDecoder().decode(about)), new Numbers(numbers)));
  }

  document.documentElement.classList.add("js");
  for (const section of datasets) {
    addModels(section);
    addTabs(section);
  }
  addEventListener("hashchange", route);
  route();
  document.documentElement.dataset.ready = "yes";
})();
