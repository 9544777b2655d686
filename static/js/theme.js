// The theme changes at once; the server keeps it in a cookie. One switch in the sidebar, one on the account page.

export function theme() {
  for (const form of document.querySelectorAll("[data-theme-form]")) {
    form.addEventListener("submit", async (event) => {
      const chosen = event.submitter?.value;
      if (!chosen) return;
      event.preventDefault();
      show(chosen);
      const body = new URLSearchParams([...new FormData(form)].map(([k, v]) => [k, String(v)]));
      body.set("theme", chosen);
      try {
        await fetch(form.action, { method: "POST", body, redirect: "manual" });
      } catch {
        // It stays until the next page, which is no reason to interrupt anybody.
      }
    });
  }
}

function show(chosen) {
  if (chosen === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  document.querySelector('meta[name="color-scheme"]')?.setAttribute("content", chosen === "system" ? "light dark" : chosen);
  for (const button of document.querySelectorAll('[data-theme-form] button[name="theme"]')) {
    button.setAttribute("aria-pressed", String(button.value === chosen));
  }
}
