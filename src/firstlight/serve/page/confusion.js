// What a run got wrong: its confusion matrix, each cell of it a button, and the mistakes in it.

import { recall, remember } from "./address.js";
import { h, percent } from "./dom.js";
import { bytes, photograph } from "./pixels.js";
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
    if (!card.isConnected) return; // another run, or another view, is shown by now
    const name = (number) => found.classes?.[number] ?? String(number);
    const mistakes = h("div", { class: "stack" }), error = h("p", { class: "error", role: "alert" });
    card.append(summary(found), error, h("div", { class: "columns" }, matrix(found, name, choose), mistakes));
    let asked = 0;
    async function choose(label, predicted) {
      const number = ++asked;
      remember({ label, predicted });
      error.textContent = "";
      for (const cell of card.querySelectorAll(".confusion button"))
        cell.setAttribute("aria-pressed", cell.dataset.cell === `${label}-${predicted}`);
      const found = await list(path, name, label, predicted, choose, told).catch(told);
      if (number === asked && found) mistakes.replaceChildren(...found);
    }
    function told(problem) {
      error.textContent = problem.message;
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
      while (note.isConnected) {
        await new Promise((done) => setTimeout(done, 700));
        const now = (await refresh()).find(({ name }) => name === run.name);
        if (!note.isConnected) return;
        if (now?.evaluated) return confusion(place, now, refresh);
        if (!now?.job || now.job.code) throw new Error(now?.job?.said.at(-1) ?? "it could not be evaluated");
      }
    } catch (problem) {
      note.textContent = problem.message;
      button.disabled = false;
    }
  }
  return h("div", { class: "stack" }, note, h("div", { class: "tools" }, button));
}

function summary(found) {
  const [low, high] = found.interval95;
  return h("p", {}, h("b", {}, percent(found.accuracy, 2)), ` right, ${found.correct.toLocaleString("en")} of ${found.examples.toLocaleString("en")} `
    + `${found.split} images of ${found.data}; on endless such images ${percent(low, 2)} to ${percent(high, 2)}, 95 times of 100.`);
}

function matrix({ confusion: counts }, name, choose) {
  const most = Math.max(1, ...counts.flatMap((row, label) => row.filter((_, predicted) => predicted !== label)));
  const place = h("div", { class: "confusion" }, h("span"), ...counts.map((_, i) => heading(i)));
  place.style.setProperty("--classes", counts.length);
  counts.forEach((row, label) => {
    place.append(heading(label));
    row.forEach((count, predicted) => place.append(label === predicted ? h("span", { class: "right" }, String(count)) : cell(label, predicted, count)));
  });
  function heading(number) {
    return h("span", { title: name(number) }, name(number));
  }
  function cell(label, predicted, count) {
    const part = count ? 0.12 + 0.88 * Math.sqrt(count / most) : 0;
    const button = h("button", { "data-cell": `${label}-${predicted}`, disabled: !count,
      "aria-label": `${count} times ${name(label)} taken for ${name(predicted)}`, onclick: () => choose(label, predicted) }, count ? String(count) : "");
    button.style.setProperty("--part", percent(part).replace(" ", ""));
    return button;
  }
  return h("div", {}, h("h3", {}, "A row a label, a column an answer"), place);
}

async function list(path, name, label, predicted, choose, told) {
  const query = new URLSearchParams({ ...(label !== "" && { label }), ...(predicted !== "" && { predicted }) });
  const all = label === "" && predicted === "";
  const title = h("h3"), grid = h("div", { class: "mistakes" }), more = h("button", {}, "More");
  const back = h("button", { onclick: () => choose("", "") }, "All mistakes");

  async function load() {
    query.set("from", grid.children.length);
    const found = await get(`${path}/mistakes?${query}`);
    title.textContent = all ? `${found.of.toLocaleString("en")} mistakes, the surest first` : `${name(label)} taken for ${name(predicted)}: ${found.of}`;
    grid.append(...found.mistakes.map((mistake) => figure(mistake, name)));
    more.hidden = grid.children.length >= found.of;
  }

  more.addEventListener("click", () => load().catch(told));
  await load();
  return [h("div", { class: "tools" }, title, ...(all ? [] : [back])), grid, more];
}

function figure({ index, file, label, predicted, confidence, image, size }, name) {
  const shown = image ? photograph(bytes(image), size, `image ${index}`) : null;
  return h("figure", { title: file ?? `image ${index}` }, shown,
    h("figcaption", {}, `${name(label)}, taken for `, h("b", {}, name(predicted)), `, ${percent(confidence)}`));
}
