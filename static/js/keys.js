// Keyboard: `/` search, `g i`, `g c` and `g u` go, `?` help. They can be switched off in the help (WCAG 2.1.4).
const OFF = "stockroom.keys";
const PLACES = { i: "/admin/items", c: "/admin/categories", u: "/admin/users" };

export function keys() {
  const help = document.getElementById("help");
  const search = document.getElementById("q");
  const box = document.getElementById("keys-on");
  let leader = 0;

  document.querySelector("[data-help]")?.addEventListener("click", () => help?.showModal());
  help?.addEventListener("click", (event) => { if (event.target === help) help.close(); });
  if (box) {
    box.checked = on();
    box.addEventListener("change", () => { try { localStorage.setItem(OFF, box.checked ? "on" : "off"); } catch { /* private window */ } });
  }
  search?.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !search.value) search.blur();
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
    if (typing(event.target) || document.querySelector("dialog[open]") || !on()) return;
    const led = event.timeStamp - leader < 1200;
    leader = 0;
    if (led && Object.hasOwn(PLACES, event.key)) {
      event.preventDefault();
      if (document.querySelector(`.places a[href="${PLACES[event.key]}"]`)) location.assign(PLACES[event.key]);
    } else if (event.key === "g") {
      leader = event.timeStamp;
    } else if (event.key === "/" && search) {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === "?" && help) {
      event.preventDefault();
      help.showModal();
    }
  });
}

function on() {
  try { return localStorage.getItem(OFF) !== "off"; } catch { return true; }
}

function typing(target) {
  return target instanceof HTMLElement
    && (target.isContentEditable || target.matches("textarea, select, input:not([type=checkbox], [type=radio], [type=button], [type=submit])"));
}
