// The model for this tab.
import { say } from "./dom.js";
import { keep } from "./api.js";

export function start(root) {
  const select = root.querySelector("[data-choose] select");
  if (!select) return;
  const chosen = keep.get("model");
  if (chosen && [...select.options].some(option => option.value === chosen)) select.value = chosen;
  select.addEventListener("change", () => {
    keep.set("model", select.value);
    say(`This tab reads with ${select.value} now`);
  });
}
