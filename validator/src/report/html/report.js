// Zoom, filter and pointer of the axis; everything else works without a script.
"use strict";
(() => {
  const $ = (selector) => document.querySelector(selector);
  const all = (selector) => document.querySelectorAll(selector);
  const figure = $(".axis"), tracks = $(".tracks"), cursor = $(".cursor"), readout = $(".readout");
  const data = JSON.parse($("#columns").textContent);
  const clock = (s) => Math.floor(s / 60) + ":" + String(Math.floor(s % 60)).padStart(2, "0");
  let zoom = 1;

  // Where the drawing begins and ends, in pixels of the screen.
  const plot = () => $(".row .plot").getBoundingClientRect();

  const show = (seconds) => {
    const box = plot();
    cursor.hidden = false;
    cursor.style.left = box.left - tracks.getBoundingClientRect().left + (box.width * seconds) / data.length + "px";
    const column = data.columns[Math.min(data.columns.length - 1, Math.floor(seconds / data.column))];
    const step = data.steps.find(([from, took]) => seconds >= from && seconds <= from + took);
    const times = column[2] ? `, half of the answers within ${column[2][0]} ms, 99 % within ${column[2][1]} ms` : "";
    readout.textContent = `${clock(seconds)} ${step ? step[2] : "between steps"}: ${column[0]} requests/s, ${column[1]} lost/s${times}`;
  };

  const zoomTo = (next, seconds) => {
    zoom = Math.min(64, Math.max(1, next));
    tracks.style.setProperty("--zoom", zoom);
    const box = plot(), view = figure.getBoundingClientRect();
    figure.scrollLeft += box.left - view.left + (box.width * seconds) / data.length - view.width / 2;
  };

  // The moment in the middle of what is seen.
  const middle = () => {
    const box = plot(), view = figure.getBoundingClientRect();
    return Math.min(data.length, Math.max(0, ((view.left + view.width / 2 - box.left) / box.width) * data.length));
  };

  const seconds = (event) => {
    const box = plot();
    return ((event.clientX - box.left) / box.width) * data.length;
  };

  figure.addEventListener("pointermove", (event) => {
    const at = seconds(event);
    if (at >= 0 && at <= data.length) show(at);
  });
  figure.addEventListener("dblclick", (event) => zoomTo(zoom * 4, seconds(event)));
  figure.addEventListener("keydown", (event) => {
    if (event.key === "+" || event.key === "=") zoomTo(zoom * 2, middle());
    if (event.key === "-") zoomTo(zoom / 2, middle());
  });
  all("[data-zoom]").forEach((button) =>
    button.addEventListener("click", () => zoomTo({ in: zoom * 2, out: zoom / 2, all: 1 }[button.dataset.zoom], middle())));
  all("input[data-group]").forEach((box) =>
    box.addEventListener("change", () =>
      all(`.row[data-group="${box.dataset.group}"]`).forEach((row) => { row.hidden = !box.checked; })));

  // A link opens what it leads to, also where that is folded away, and the axis shows its moment.
  const arrive = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    all(".shown").forEach((mark) => mark.classList.remove("shown"));
    if (target.dataset.at === undefined) { target.scrollIntoView({ block: "nearest" }); return; }
    const at = Number(target.dataset.at);
    if (target.classList.contains("mark")) {
      target.classList.add("shown");
      zoomTo(Math.max(zoom, Math.min(16, data.length / 40)), at);
      target.scrollIntoView({ block: "center" });
    }
    show(at);
  };
  addEventListener("hashchange", arrive);
  // Paper shows the whole run: what was zoomed and scrolled would leave the labels behind.
  addEventListener("beforeprint", () => { zoomTo(1, 0); $(".axis").scrollLeft = 0; all(".area").forEach((area) => { area.open = true; }); });
  $(".controls").hidden = false;
  document.documentElement.dataset.ready = "true";
  arrive();
})();
