"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const WIDTH = 100000, HEIGHT = 10000, PAGE = 25;
  const names = { equity: "this run", held: "holding", harsher: "harsher", drawdown: "drawdown", close: "close" };
  const make = (tag, parent, name) => {
    const element = document.createElement(tag);
    if (name) element.className = name;
    parent.append(element);
    return element;
  };
  const pad = (number) => String(number).padStart(2, "0");
  const local = data.zone === "UTC" ? null : new Intl.DateTimeFormat("sv-SE", {
    timeZone: data.zone, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit",
  });
  const moment = (seconds) => {
    const date = new Date(seconds * 1000);
    if (local) return local.format(date).replace(/ 00:00$/, "");
    const day = `${date.getUTCFullYear()}-${pad(date.getUTCMonth() + 1)}-${pad(date.getUTCDate())}`;
    return seconds % 86400 ? `${day} ${pad(date.getUTCHours())}:${pad(date.getUTCMinutes())}` : day;
  };
  const number = (value, digits = 8) => value.toLocaleString("en-US", { maximumFractionDigits: digits });
  const money = (value) => value.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

  for (const series of Object.values(data.series)) {
    let time = 0;
    series.t = series.t.map((step) => (time += step));
  }

  class Chart {
    constructor(figure) {
      this.figure = figure;
      this.plot = figure.querySelector(".plot");
      this.svg = figure.querySelector("svg");
      this.series = data.series[figure.dataset.series];
      this.percent = figure.dataset.percent === "1";
      [this.first, this.last, this.low, this.high] = figure.dataset.scale.split(" ").map(Number);
      this.view = [this.first, this.last];
      this.hidden = new Set();
      this.listen();
    }
    time(event) {
      const box = this.plot.getBoundingClientRect();
      const part = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
      return this.view[0] + part * (this.view[1] - this.view[0]);
    }
    part(time) { return (time - this.view[0]) / (this.view[1] - this.view[0]); }
    listen() {
      let from = null, picked = null;
      this.plot.addEventListener("pointermove", (event) => {
        this.say(this.time(event));
        if (from === null) return;
        const [a, b] = [from, this.time(event)].sort((x, y) => x - y);
        picked ??= make("div", this.plot, "picked");
        picked.style.left = `${this.part(a) * 100}%`;
        picked.style.width = `${(this.part(b) - this.part(a)) * 100}%`;
      });
      this.plot.addEventListener("pointerdown", (event) => {
        this.say(this.time(event));
        if (event.pointerType === "mouse" && event.button === 0) {
          from = this.time(event);
          this.plot.setPointerCapture(event.pointerId);
          event.preventDefault();
        }
      });
      this.plot.addEventListener("pointerup", (event) => {
        const [a, b] = [from ?? 0, this.time(event)].sort((x, y) => x - y);
        if (from !== null && picked && this.part(b) - this.part(a) > 0.01) this.zoom(a, b);
        picked?.remove();
        from = picked = null;
      });
      this.plot.addEventListener("pointerleave", () => this.say(null));
    }
    say(time) {
      this.cursor?.remove();
      this.said?.remove();
      const times = this.series.t;
      if (time === null || !times.length) return;
      let low = 0, high = times.length - 1;
      while (high - low > 1) {
        const middle = (low + high) >> 1;
        if (times[middle] < time) low = middle; else high = middle;
      }
      const at = time - times[low] < times[high] - time ? low : high;
      const part = this.part(times[at]);
      if (part < 0 || part > 1) return;
      this.cursor = make("div", this.plot, "cursor");
      this.cursor.style.left = `${part * 100}%`;
      this.said = make("div", this.plot, "said");
      const values = Object.keys(names).filter((name) => this.series[name]?.[at] != null && !this.hidden.has(name))
        .map((name) => `${names[name]} ${this.percent ? `${(this.series[name][at] * 100).toFixed(2)} %` : number(this.series[name][at])}`);
      this.said.textContent = [moment(times[at]), ...values].join("  ·  ");
      this.said.style[part < 0.5 ? "right" : "left"] = "0";
    }
    zoom(from, to) {
      const { t, high, low, ...lines } = this.series;
      const seen = high ? [high, low] : Object.keys(lines).filter((name) => !this.hidden.has(name)).map((name) => lines[name]);
      let bottom = Infinity, top = -Infinity;
      t.forEach((time, at) => {
        if (time < from || time > to) return;
        for (const values of seen) {
          const value = values[at];
          if (value == null) continue;
          bottom = Math.min(bottom, value);
          top = Math.max(top, value);
        }
      });
      if (!(top >= bottom)) return;
      const room = (top - bottom) * 0.06 || Math.abs(top) * 0.01 || 1;
      bottom -= room;
      top += room;
      this.say(null);
      this.view = [from, to];
      const x = (time) => (time - this.first) / (this.last - this.first) * WIDTH;
      const y = (value) => (this.high - value) / (this.high - this.low) * HEIGHT;
      this.svg.setAttribute("viewBox", `${x(from)} ${y(top)} ${x(to) - x(from)} ${y(bottom) - y(top)}`);
      const rough = (top - bottom) / 5, power = 10 ** Math.floor(Math.log10(rough));
      const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= rough);
      const ticks = [];
      for (let n = Math.ceil(bottom / step); n * step <= top; n++) ticks.push(n * step || 0);
      const digits = Math.max(0, 1 - Math.floor(Math.log10(this.percent ? step * 100 : step)));
      this.label(".y", ticks.map((tick) => ["top", (top - tick) / (top - bottom), this.percent ? `${number(tick * 100, digits)}%` : number(tick, digits)]));
      this.figure.querySelector(".grid").setAttribute("d", ticks.map((tick) => `M${x(from)} ${y(tick)}h${x(to) - x(from)}`).join(""));
      const spots = [0.1, 0.3, 0.5, 0.7, 0.9];
      this.label(".x", spots.map((part) => {
        const time = from + part * (to - from);
        return ["left", part, moment(to - from > 5 * 86400 ? Math.floor(time / 86400) * 86400 : Math.floor(time / 60) * 60)];
      }));
      this.back ??= this.backButton();
      this.back.hidden = from <= this.first && to >= this.last;
    }
    label(place, labels) {
      const box = this.figure.querySelector(place);
      box.replaceChildren();
      for (const [side, part, text] of labels) {
        const span = make("span", box);
        span.style[side] = `${part * 100}%`;
        span.textContent = text;
      }
    }
    backButton() {
      const button = make("button", this.figure);
      button.type = "button";
      button.textContent = "whole period";
      button.addEventListener("click", () => this.zoom(this.first, this.last));
      return button;
    }
  }

  const charts = new Map([...document.querySelectorAll(".chart")].map((figure) => [figure.dataset.series, new Chart(figure)]));

  for (const key of document.querySelectorAll("[data-line]")) {
    const name = key.dataset.line, chart = charts.get("equity");
    const apply = (shown) => {
      key.setAttribute("aria-pressed", shown);
      chart.hidden[shown ? "delete" : "add"](name);
      chart.svg.querySelector(`.${name}`)?.classList.toggle("off", !shown);
    };
    apply(key.getAttribute("aria-pressed") === "true");
    key.title = "show or hide";
    key.addEventListener("click", () => {
      apply(key.getAttribute("aria-pressed") !== "true");
      chart.zoom(...chart.view);
    });
  }

  // One symbol at a time.
  const symbols = [...document.querySelectorAll(".symbol")];
  const choice = document.getElementById("choice");
  let select = null;
  const show = (place) => symbols.forEach((each, at) => { each.hidden = at !== place; });
  if (symbols.length > 1) {
    select = make("select", choice);
    select.setAttribute("aria-label", "symbol");
    data.symbols.forEach((symbol, at) => {
      const option = make("option", select);
      option.value = at;
      option.textContent = symbol;
    });
    select.addEventListener("change", () => show(Number(select.value)));
    show(0);
  }

  // Trades: newest first, sorted by a click on a column, shown on the chart by a click on a row.
  const table = document.getElementById("trades");
  if (!table) return;
  const body = table.querySelector("tbody");
  const more = document.getElementById("more");
  const trades = data.trades.toReversed ? data.trades.toReversed() : [...data.trades].reverse();
  let shown = PAGE;
  const open = (trade) => {
    const place = data.symbols.indexOf(trade[0]);
    if (place < 0) return;
    if (select) { select.value = place; show(place); }
    const chart = charts.get(`p${place}`);
    const room = Math.max((trade[3] - trade[2]) * 2, (chart.last - chart.first) / 100);
    chart.zoom(Math.max(trade[2] - room, chart.first), Math.min(trade[3] + room, chart.last));
    chart.figure.scrollIntoView({ behavior: "smooth", block: "center" });
  };
  const draw = () => {
    body.replaceChildren();
    for (const trade of trades.slice(0, shown)) {
      const row = make("tr", body);
      row.tabIndex = 0;
      row.title = "show it on the chart";
      const [symbol, side, entered, exited, quantity, entry, exit, profit, fees] = trade;
      const texts = [symbol, side, moment(entered), moment(exited), number(quantity), number(entry), number(exit), money(profit), money(fees)];
      texts.forEach((text, at) => {
        make("td", row, at === 7 ? (profit > 0 ? "won" : "lost") : "").textContent = text;
      });
      row.addEventListener("click", () => open(trade));
      row.addEventListener("keydown", (event) => { if (event.key === "Enter") open(trade); });
    }
    more.replaceChildren();
    if (shown < trades.length) {
      const button = make("button", more);
      button.type = "button";
      button.textContent = `show ${Math.min(PAGE * 8, trades.length - shown)} more of ${trades.length}`;
      button.addEventListener("click", () => { shown += PAGE * 8; draw(); });
    }
  };
  const buttons = [...table.querySelectorAll("th button")];
  for (const button of buttons) {
    button.addEventListener("click", () => {
      const column = Number(button.dataset.column);
      const order = button.dataset.order === "-1" ? 1 : -1;
      for (const each of buttons) {
        delete each.dataset.order;
        each.parentElement.removeAttribute("aria-sort");
      }
      button.dataset.order = order;
      button.parentElement.setAttribute("aria-sort", order > 0 ? "ascending" : "descending");
      trades.sort((a, b) => order * (a[column] < b[column] ? -1 : a[column] > b[column] ? 1 : 0));
      draw();
    });
  }
  draw();
})();
