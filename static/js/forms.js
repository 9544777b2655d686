// Forms: not sent twice, not left unsaved by mistake, errors brought into view, passwords shown on demand.

export function forms() {
  document.querySelectorAll("form[data-once]").forEach(once);
  document.querySelectorAll("form[data-guard]").forEach(guard);
  document.querySelectorAll("[data-reveal]").forEach(reveal);
  document.querySelector("[data-focus]")?.focus();
}

function once(form) {
  const buttons = () => [...form.elements].filter((e) => e instanceof HTMLButtonElement && e.type === "submit");
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    // aria-disabled and not disabled: a disabled button would drop its name, value and the focus.
    buttons().forEach((b) => b.setAttribute("aria-disabled", "true"));
  });
  // Back from the history: the page is as it was left, so let it be sent again.
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    delete form.dataset.sent;
    buttons().forEach((b) => b.removeAttribute("aria-disabled"));
  });
}

function guard(form) {
  const typed = () => new URLSearchParams([...new FormData(form)].map(([k, v]) => [k, String(v)])).toString();
  const before = typed();
  const unsaved = "dirty" in form.dataset;
  window.addEventListener("beforeunload", (event) => {
    if (!form.dataset.sent && (unsaved || typed() !== before)) event.preventDefault();
  });
}

function reveal(button) {
  const field = document.getElementById(button.dataset.reveal);
  button.addEventListener("click", () => {
    const shown = field.type === "text";
    field.type = shown ? "password" : "text";
    button.setAttribute("aria-pressed", String(!shown));
    button.firstChild.data = shown ? "Show" : "Hide";
  });
  field.form.addEventListener("submit", () => { field.type = "password"; });
}
