// Copies what a field holds. Where the page is not on https the clipboard is closed to scripts: there the text is
// selected, and the old command tried.
import { say } from "./say.js";

export function copying() {
  for (const button of document.querySelectorAll("[data-copy]")) {
    const field = document.getElementById(button.dataset.copy);
    button.addEventListener("click", async () => {
      const done = await copy(field);
      button.textContent = done ? "Copied" : "Press Ctrl C";
      say(done ? "Copied" : "The text is selected. Press Ctrl C to copy it.");
    });
    field.addEventListener("focus", () => field.select());
  }
}

async function copy(field) {
  try {
    await navigator.clipboard.writeText(field.value);
    return true;
  } catch {
    field.select();
    return document.execCommand("copy");
  }
}
