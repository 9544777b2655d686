// Search as you type: fetches the page the form would lead to, takes `#list` out of it, and keeps the
// address in step, so that what one sees can be sent to a colleague.
import { say } from "./say.js";

export function liveList(swapped) {
  const form = document.querySelector("form[data-live]");
  if (!form || !document.getElementById("list")) return;
  let timer = 0;
  let running = null;
  let shown = address(form).href;

  async function refresh() {
    clearTimeout(timer);
    const url = address(form);
    if (url.href === shown) return;
    running?.abort();
    const mine = running = new AbortController();
    document.getElementById("list").setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(url, { signal: mine.signal, headers: { Accept: "text/html" } });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const next = page.getElementById("list");
      // Signed out meanwhile, or an error page: go there as a whole.
      if (!next || answer.redirected) return location.assign(url);
      if (mine !== running) return;
      document.getElementById("list").replaceWith(next);
      shown = url.href;
      history.replaceState(history.state, "", url);
      swapped(next);
      document.dispatchEvent(new CustomEvent("list:swapped"));
      say(next.dataset.announce ?? "");
    } catch (error) {
      if (error.name === "AbortError") return;
      document.getElementById("list").removeAttribute("aria-busy");
      say("The list could not be refreshed.");
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    document.getElementById("filter-panel")?.matches(":popover-open") && document.getElementById("filter-panel").hidePopover();
    refresh();
  });
  // `form.elements` holds the search field too, which stands elsewhere on the page.
  for (const field of form.elements) {
    if (field.matches("select")) field.addEventListener("change", refresh);
    else if (field.matches("input:not([type=hidden])")) {
      field.addEventListener("input", (event) => {
        clearTimeout(timer);
        if (!event.isComposing) timer = setTimeout(refresh, 150);
      });
      field.addEventListener("compositionend", refresh);
    }
  }
  // Back from an item: the browser puts the fields back, the list may be older than they are.
  window.addEventListener("pageshow", () => setTimeout(refresh));
}

// The address of the form as it stands, without what is empty. A new search starts on its first page.
function address(form) {
  const url = new URL(form.action);
  for (const [name, value] of new FormData(form)) {
    const text = String(value).trim();
    if (text) url.searchParams.append(name, text);
  }
  return url;
}
