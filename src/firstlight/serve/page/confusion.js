// What a run got wrong: its confusion matrix, each cell of it a button, and the mistakes in it.

import { recall, remember } from "./address.js";
import { h, percent } from "./dom.js";
import { bytes, grey } from "./pixels.js";
import { get, post } from "./server.js";

/** Show them of a run in `place`. */
export async function confusion(place, run, refresh) {
  const path = `runs/${encodeURIComponent(run.name)}`;
  const links = h("p", { class: "tools quiet" }, h("a", { href: `#inside?run=${encodeURIComponent(run.name)}` }, "look inside"),
    h("a", { href: `#train?run=${encodeURIComponent(run.name)}` }, "curves and weights"), h("code", {}, run.command ?? ""));
  const card = h("section", { class: "card stack" }, h("h2", {}, run.name), links);
  place.replaceChildren(card);
  if (!run.evaluated) return card.append(measure(place, run, path, refresh));
  try {
    const found = await get(`${path}/evaluation`);
    const mistakes = h("div", { class: "stack" });
    card.append(summary(found), h("div", { class: "columns" }, matrix(found, choose), mistakes));
    let asked = 0;
    async function choose(label, predicted) {
      const number = ++asked;
      remember({ label, predicted });
      for (const cell of card.querySelectorAll(".confusion button"))
        cell.setAttribute("aria-pressed", cell.dataset.cell === `${label}-${predicted}`);
      const found = await list(path, label, predicted, choose);
      if (number === asked) mistakes.replaceChildren(...found);
    }

    await choose(recall("label"), recall("predicted"));
  } catch (problem) {
    card.append(h("p", { class: "error" }, problem.message));
  }
}

function measure(place, run, path, refresh) {
  const note = h("p", { class: "quiet" }, run.state === "done" ? "It has not been evaluated yet." : "It is evaluated when it is done.");
  const button = h("button", { class: "main", disabled: run.state !== "done", onclick: evaluate }, "Evaluate it");

  async function evaluate() {
    button.disabled = true;
    note.textContent = "Reading all test images …";
    try {
      await post(`${path}/evaluate`);
      for (;;) {
        await new Promise((done) => setTimeout(done, 700));
        const now = (await refresh()).find(({ name }) => name === run.name);
        if (now?.evaluated) return confusion(place, now, refresh);
        if (now?.job?.code) throw new Error(now.job.said.at(-1) ?? "it could not be evaluated");
      }
    } catch (problem) {
      note.textContent = problem.message;
    }
  }
  return h("div", { class: "stack" }, note, h("div", { class: "tools" }, button));
}

function summary(found) {
  const [low, high] = found.interval95;
  return h("p", {}, h("b", {}, percent(found.accuracy, 2)), ` right, ${found.correct.toLocaleString("en")} of ${found.examples.toLocaleString("en")} `
    + `${found.split} images of ${found.data}; on endless such images ${percent(low, 2)} to ${percent(high, 2)}, 95 times of 100.`);
}

function matrix({ confusion: counts }, choose) {
  const most = Math.max(1, ...counts.flatMap((row, label) => row.filter((_, predicted) => predicted !== label)));
  const place = h("div", { class: "confusion" }, h("span"), ...counts.map((_, i) => h("span", {}, String(i))));
  place.style.setProperty("--classes", counts.length);
  counts.forEach((row, label) => {
    place.append(h("span", {}, String(label)));
    row.forEach((count, predicted) => place.append(label === predicted ? h("span", { class: "right" }, String(count)) : cell(label, predicted, count)));
  });
  function cell(label, predicted, count) {
    const part = count ? 0.12 + 0.88 * Math.sqrt(count / most) : 0;
    const button = h("button", { "data-cell": `${label}-${predicted}`, disabled: !count, class: part > 0.6 ? "deep" : "",
      "aria-label": `${count} times ${label} taken for ${predicted}`, onclick: () => choose(label, predicted) }, count ? String(count) : "");
    button.style.setProperty("--part", percent(part).replace(" ", ""));
    return button;
  }
  return h("div", {}, h("h3", {}, "A row a label, a column an answer"), place);
}

async function list(path, label, predicted, choose) {
  const query = new URLSearchParams({ ...(label !== "" && { label }), ...(predicted !== "" && { predicted }) });
  const all = label === "" && predicted === "";
  const title = h("h3"), grid = h("div", { class: "mistakes" }), more = h("button", {}, "More");
  const back = h("button", { onclick: () => choose("", "") }, "All mistakes");

  async function load() {
    query.set("from", grid.children.length);
    const found = await get(`${path}/mistakes?${query}`);
    title.textContent = all ? `${found.of.toLocaleString("en")} mistakes, the surest first` : `${label} taken for ${predicted}: ${found.of}`;
    grid.append(...found.mistakes.map(figure));
    more.hidden = grid.children.length >= found.of;
  }

  more.addEventListener("click", load);
  await load();
  return [h("div", { class: "tools" }, title, ...(all ? [] : [back])), grid, more];
}

function figure({ index, label, predicted, confidence, image, size }) {
  const shown = image && size[2] === 1 ? grey(bytes(image), size[1], `test image ${index}`) : null;
  return h("figure", { title: `image ${index}` }, shown, h("figcaption", {}, `${label}, taken for `, h("b", {}, String(predicted)), `, ${percent(confidence)}`));
}
