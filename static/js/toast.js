// What the last act came to leaves the page as a toast. Good news goes by itself, errors stay until read.

export function flashes() {
  const icons = document.getElementById("help")?.dataset.icons;
  const notes = document.querySelectorAll("[data-flash]");
  if (!notes.length || !icons) return;
  const region = document.createElement("div");
  region.className = "toasts";
  region.setAttribute("role", "status");
  document.body.append(region);
  for (const note of notes) {
    const kind = note.dataset.flash;
    const text = note.textContent.trim();
    note.remove();
    setTimeout(() => region.append(toast(kind, text, icons)), 50);
  }
}

function toast(kind, text, icons) {
  const box = document.createElement("div");
  box.className = `toast ${kind}`;
  const words = document.createElement("p");
  words.textContent = text;
  const close = document.createElement("button");
  close.type = "button";
  close.className = "icon-btn";
  close.setAttribute("aria-label", "Dismiss");
  close.append(icon(icons, "x"));
  close.addEventListener("click", () => box.remove());
  box.append(icon(icons, kind === "ok" ? "ok" : "alert"), words, close);
  if (kind === "ok") {
    let timer = 0;
    const wait = () => { timer = setTimeout(() => box.remove(), 7000); };
    for (const stop of ["pointerenter", "focusin"]) box.addEventListener(stop, () => clearTimeout(timer));
    for (const go of ["pointerleave", "focusout"]) box.addEventListener(go, wait);
    wait();
  }
  return box;
}

function icon(icons, name) {
  const NS = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(NS, "svg");
  for (const [k, v] of Object.entries({ width: 16, height: 16, "aria-hidden": "true" })) svg.setAttribute(k, v);
  const use = document.createElementNS(NS, "use");
  use.setAttribute("href", `${icons}#${name}`);
  svg.append(use);
  return svg;
}
