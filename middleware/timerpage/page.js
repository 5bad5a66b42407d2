// Keeps the page live: the server sends the view when it has changed, and what counts
// down counts here. Without this script the page shows times of day, as of its loading.
"use strict";

const view = document.getElementById("view");
const state = document.getElementById("state");
let skew = Number(document.body.dataset.now) - Date.now(); // the server's clock, less ours
const now = () => Date.now() + skew;

// ---- Times ----

function length(ms) {
  const s = Math.floor(ms / 1000), two = (n) => String(n).padStart(2, "0");
  if (s < 3600) return Math.floor(s / 60) + ":" + two(s % 60);
  if (s < 86400) return Math.floor(s / 3600) + ":" + two(Math.floor(s / 60) % 60) + ":" + two(s % 60);
  return Math.floor(s / 86400) + " d " + Math.floor(s / 3600) % 24 + " h";
}

const show = {
  in: (left) => (left > 0 ? "in " + length(left + 999) : left > -1000 ? "now" : length(-left) + " ago"),
  ago: (left) => length(Math.max(0, -left)) + " ago",
  age: (left) => length(Math.max(0, -left)),
};

function tick() {
  if (document.querySelector("[data-ended]")) return; // as it was at the end
  const at = now();
  for (const kind in show) {
    for (const e of view.querySelectorAll("time[data-" + kind + "]")) {
      const left = Number(e.dataset[kind]) - at;
      write(e, show[kind](left));
      e.classList.toggle("soon", kind === "in" && left < 10000 && left > -1000);
    }
  }
  for (const e of view.querySelectorAll("[data-clock]")) write(e, new Date(at).toLocaleTimeString("en-GB"));
  for (const e of view.querySelectorAll("[data-from]")) {
    const share = (at - Number(e.dataset.from)) / Number(e.dataset.length);
    e.setAttribute("x", String(Math.round(996 * Math.min(1, Math.max(0, share)))));
  }
}

function write(e, text) {
  if (e.textContent !== text) e.textContent = text;
}

function localTimes(root) {
  for (const e of root.querySelectorAll("time")) {
    const t = new Date(e.dateTime);
    e.title = t.toLocaleString("en-GB");
    if ("at" in e.dataset) e.textContent = t.toLocaleTimeString("en-GB");
  }
}

// ---- The view ----

// Elements with data-key stay as long as the server's text of them does, so that what has
// the focus, is selected or is unfolded is not lost. Those with data-each are looked into.
const texts = new WeakMap();

function remember(root) {
  for (const e of root.querySelectorAll("[data-key]:not([data-each])")) texts.set(e, e.outerHTML);
}

function patch(old, fresh) {
  const ended = fresh.querySelector("[data-ended]"); // the facts of a call that has ended stay
  const had = new Map(Array.from(old.children, (e) => [e.dataset.key, e]));
  let place = old.firstElementChild;
  for (const e of Array.from(fresh.children)) {
    let stays = had.get(e.dataset.key);
    had.delete(e.dataset.key);
    if (stays && "each" in e.dataset) {
      patch(stays, e);
    } else if (!stays || texts.get(stays) !== texts.get(e)) {
      if (stays) {
        if (stays === place) place = stays.nextElementSibling;
        swap(stays, e);
      }
      stays = e;
    }
    if (stays === place) place = place.nextElementSibling;
    else if (stays.parentNode !== old || stays.nextElementSibling !== place) old.insertBefore(stays, place);
  }
  if (!ended) for (const e of had.values()) e.remove();
}

// swap replaces an element, and keeps the focus and what is unfolded.
function swap(old, fresh) {
  const href = old.contains(document.activeElement) && document.activeElement.getAttribute("href");
  const unfolded = Array.from(old.querySelectorAll("details"), (d) => d.open);
  old.replaceWith(fresh);
  fresh.querySelectorAll("details").forEach((d, i) => (d.open = unfolded[i]));
  if (href) fresh.querySelector('a[href="' + CSS.escape(href) + '"]')?.focus();
}

function update(news) {
  skew = news.now - Date.now();
  const t = document.createElement("template");
  t.innerHTML = news.html;
  remember(t.content);
  localTimes(t.content);
  patch(view, t.content);
  tick();
}

// ---- The stream ----

let stream = null;

function listen() {
  if (!document.body.dataset.live || document.hidden || stream) return;
  stream = new EventSource(document.body.dataset.live);
  stream.onopen = () => say("live");
  stream.onmessage = (e) => update(JSON.parse(e.data));
  stream.onerror = () => {
    say("no connection");
    if (stream.readyState === EventSource.CLOSED) { // refused; try again
      close();
      setTimeout(listen, 5000);
    }
  };
}

function close() {
  stream?.close();
  stream = null;
}

function say(text) {
  state.textContent = text;
  state.className = text === "live" ? "live" : "";
}

// A page that nobody sees asks for nothing.
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) return listen();
  close();
  say("paused");
});
addEventListener("pagehide", close);
addEventListener("pageshow", listen);
addEventListener("keydown", (e) => {
  const search = document.getElementById("search");
  if (e.key === "/" && !e.ctrlKey && !e.metaKey && !e.altKey && search && document.activeElement !== search) {
    e.preventDefault();
    search.focus();
  }
});

remember(view);
localTimes(view);
tick();
setInterval(tick, 1000);
listen();
