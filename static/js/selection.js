// Rows: all at once, a range with shift, and how many they are.
import { say } from "./say.js";

export function selection() {
  let last = null;
  const boxes = () => [...document.querySelectorAll('#list tbody input[name="ids"]')];

  function count(aloud) {
    const all = boxes();
    const chosen = all.filter((b) => b.checked).length;
    const every = document.querySelector("#list [data-all]");
    const label = document.querySelector("#list [data-count]");
    if (every) {
      every.checked = chosen > 0 && chosen === all.length;
      every.indeterminate = chosen > 0 && chosen < all.length;
    }
    if (label) label.textContent = `${chosen} selected`;
    if (aloud) say(`${chosen} selected`);
  }

  document.addEventListener("click", (event) => {
    const box = event.target;
    if (!(box instanceof HTMLInputElement) || box.name !== "ids") return;
    const all = boxes();
    if (event.shiftKey && last && all.includes(last)) {
      const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b);
      for (const b of all.slice(from, to + 1)) b.checked = box.checked;
    }
    last = box;
  });
  // Shift and click on a label also marks text: not here.
  document.addEventListener("mousedown", (event) => {
    if (event.shiftKey && event.target.closest?.("#list .pick")) event.preventDefault();
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches?.("#list [data-all]")) for (const b of boxes()) b.checked = event.target.checked;
    else if (event.target.name !== "ids") return;
    count(true);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !event.target.matches?.('input[name="ids"], [data-all]')) return;
    for (const b of boxes()) b.checked = false;
    count(true);
  });
  document.addEventListener("list:swapped", () => { last = null; count(false); });
  window.addEventListener("pageshow", () => setTimeout(count));
  count(false);
}
