// Tells a screen reader what happened, without moving the focus.
let region;

export function say(text) {
  if (!region) {
    region = document.createElement("div");
    region.className = "vh";
    region.setAttribute("role", "status");
    document.body.append(region);
  }
  region.textContent = "";
  // A region that changes in the same tick as it appears is not read.
  setTimeout(() => { region.textContent = text; }, 50);
}
